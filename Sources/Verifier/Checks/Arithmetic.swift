import BPF

/// Arithmetic on registers: numbers, and pointers plus or minus numbers.
extension Explorer {
    /// Offsets of pointers stay within this, so that no sum of them overflows. Kernel: `BPF_MAX_VAR_OFF`.
    static let offsetLimit: Int64 = 1 << 29

    mutating func stepArithmetic(_ insn: Instruction) throws(Rejection) {
        let wide = insn.instructionClass == .alu64
        let dst = Int(insn.dst)
        switch insn.operation {
        case Opcode.mov: try stepMove(insn, wide)
        case Opcode.neg:
            let value = try number(insn.dst)
            state[dst] = Register(value.scalar.negated(wide: wide), dependencies: value.dependencies)
        case Opcode.end:
            let value = try number(insn.dst)
            // Little-endian machines: "to little" only cuts, "to big" and bswap turn round.
            let swaps = wide || insn.usesRegister
            let result =
                swaps
                ? value.scalar.byteSwapped(bits: Int(insn.imm))
                : value.scalar.truncated(toBytes: Int(insn.imm) / 8)
            state[dst] = Register(result, dependencies: value.dependencies)
        default:
            let a = try readable(insn.dst)
            let b = try operand(insn)
            if a.kind == .scalar && b.kind == .scalar {
                let result = Scalar.result(
                    of: insn.operation, wide: wide, isSigned: insn.offset == 1, a.scalar, b.scalar)
                state[dst] = Register(result, dependencies: a.dependencies | b.dependencies)
                if wide && !insn.usesRegister { link(dst, to: a, insn) }
                if isWeakened(.linkSurvivesArithmetic) { state[dst].offset = a.offset }
            } else {
                state[dst] = try pointerResult(insn, wide, a, b)
            }
        }
    }

    /// A number plus a constant stays linked to what it came from: what is learnt of one says as much of the other.
    private mutating func link(_ register: Int, to source: Register, _ insn: Instruction) {
        guard source.id != 0, insn.operation == Opcode.add || insn.operation == Opcode.sub,
            !state[register].scalar.isConstant
        else { return }
        let step = insn.operation == Opcode.add ? Int64(insn.imm) : -Int64(insn.imm)
        guard let offset = Int32(exactly: Int64(source.offset) + step) else { return }
        state[register].id = source.id
        state[register].offset = offset
    }

    /// The second operand: a register, or `imm` sign-extended.
    func operand(_ insn: Instruction) throws(Rejection) -> Register {
        insn.usesRegister
            ? try readable(insn.src) : Register(constant: UInt64(bitPattern: Int64(insn.imm)))
    }

    /// What a register holds, as a number: of an address nothing is known.
    private func number(_ register: UInt8) throws(Rejection) -> Register {
        let value = try readable(register)
        return value.isScalar ? value : .unknown
    }

    private func pointerArithmetic(_ register: UInt8, _ insn: Instruction, _ value: Register) -> Rejection {
        Rejection(
            .registerType, "R\(register) pointer arithmetic with this operator prohibited",
            reason:
                "R\(register) is a pointer (\(value.kind.name)); only adding and subtracting a number in 64 bits keeps it one."
        )
    }

    private mutating func stepMove(_ insn: Instruction, _ wide: Bool) throws(Rejection) {
        let dst = Int(insn.dst)
        guard insn.usesRegister else {
            let value = wide ? UInt64(bitPattern: Int64(insn.imm)) : UInt64(UInt32(bitPattern: insn.imm))
            state[dst] = Register(constant: value)
            if image.relocated.contains(pc) { state[dst].flags.insert(.relocated) }
            return
        }
        var value = try readable(insn.src)
        if wide && insn.offset == 0 {
            if value.isScalar && value.id == 0 && !value.scalar.isConstant {
                value.id = newID()
                state[Int(insn.src)].id = value.id
            }
            state[dst] = value
            return
        }
        value = try number(insn.src)
        var result = value.scalar
        if insn.offset != 0 { result = result.signExtended(fromBytes: Int(insn.offset) / 8) }
        if !wide { result = result.truncated(toBytes: 4) }
        if result == value.scalar || isWeakened(.linkSurvivesTruncation) {
            // Nothing was cut off: the two stay linked.
            if value.id == 0 && !result.isConstant {
                value.id = newID()
                state[Int(insn.src)].id = value.id
            }
            state[dst] = value
        } else {
            state[dst] = Register(result, dependencies: value.dependencies)
        }
    }

    // MARK: Pointers

    private mutating func pointerResult(
        _ insn: Instruction, _ wide: Bool, _ a: Register, _ b: Register
    ) throws(Rejection) -> Register {
        let isAdd = insn.operation == Opcode.add
        guard isAdd || insn.operation == Opcode.sub || isWeakened(.pointersMultiply), wide || !isAdd else {
            throw pointerArithmetic(a.isPointer ? insn.dst : insn.src, insn, a.isPointer ? a : b)
        }
        // Half of an address is a number.
        guard wide else { return Register(Scalar.unknown.truncated(toBytes: 4)) }
        if a.isPointer && b.isPointer { return try pointerDifference(insn, a, b) }
        guard a.isPointer || isAdd else {
            throw Rejection(
                .registerType, "R\(insn.dst) tried to subtract pointer from scalar",
                reason: "A number minus an address is neither a number nor an address.")
        }
        let pointer = a.isPointer ? a : b
        let number = a.isPointer ? b : a
        try checkMovable(pointer, a.isPointer ? insn.dst : insn.src)
        let isRelocated = image.relocated.contains(pc) || number.flags.contains(.relocated)
        return try moved(pointer, by: number, isAdd: isAdd, isRelocated: isRelocated, register: insn.dst)
    }

    private func checkMovable(_ pointer: Register, _ register: UInt8) throws(Rejection) {
        if pointer.maybeNull && !isWeakened(.maybeNullMoves) {
            throw Rejection(
                .registerType,
                "R\(register) pointer arithmetic on \(pointer.kind.name)_or_null prohibited, null-check it first",
                reason: "The pointer may be NULL here, and NULL plus something is a wild address.",
                suggestion: "Test the pointer against NULL before using it.")
        }
        switch pointer.kind {
        case .mapHandle, .function, .iterator, .view, .packetEnd:
            throw Rejection(
                .registerType, "R\(register) pointer arithmetic on \(pointer.kind.name) prohibited",
                reason: "This is a handle, not the address of data.")
        default: break
        }
    }

    /// - Returns: `pointer` plus or minus `number`.
    mutating func moved(
        _ pointer: Register, by number: Register, isAdd: Bool, isRelocated: Bool, register: UInt8
    ) throws(Rejection) -> Register {
        // The new offset depends on these bounds for good: offsets of pointers are always compared.
        mark(number.dependencies)
        var result = pointer
        if isRelocated { result.flags.insert(.relocated) }
        if let constant = number.scalar.constant {
            let step = Int64(bitPattern: constant)
            guard step.magnitude < UInt64(Explorer.offsetLimit) else {
                throw outOfBounds(step, pointer, register)
            }
            let offset = Int64(pointer.offset) + (isAdd ? step : -step)
            guard offset.magnitude < UInt64(Explorer.offsetLimit) else {
                throw outOfBounds(offset, pointer, register)
            }
            result.offset = Int32(offset)
            return result
        }
        result.scalar = Scalar.result(
            of: isAdd ? Opcode.add : Opcode.sub, wide: true, isSigned: false, pointer.scalar, number.scalar)
        try checkSane(number.scalar, pointer, register)
        try checkSane(result.scalar, pointer, register)
        if result.isPacket {
            // Somewhere else in the packet: what is there has to be found out again.
            result.id = newID()
            result.payload = 0
        }
        return result
    }

    private func outOfBounds(_ value: Int64, _ pointer: Register, _ register: UInt8) -> Rejection {
        Rejection(
            .memory, "value \(value) makes \(pointer.kind.name) pointer be out of bounds",
            reason: "Offsets of pointers are limited to ±2^29 bytes.")
    }

    private func checkSane(_ scalar: Scalar, _ pointer: Register, _ register: UInt8) throws(Rejection) {
        // Of the largest value each access makes sure for itself.
        guard scalar.smin.magnitude < UInt64(Explorer.offsetLimit) || isWeakened(.offsetsUnlimited) else {
            throw Rejection(
                .memory,
                "math between \(pointer.kind.name) pointer and register with unbounded min value is not allowed",
                reason: "Nothing limits the number that is added to the pointer in R\(register).",
                suggestion:
                    "Check the index against the size on both sides, or use an unsigned type and one check, before this."
            )
        }
    }

    /// Pointers into the same object: their distance. Of others the difference depends on where they lie: any number.
    private mutating func pointerDifference(
        _ insn: Instruction, _ a: Register, _ b: Register
    ) throws(Rejection) -> Register {
        guard insn.operation == Opcode.sub else {
            throw Rejection(
                .registerType, "R\(insn.dst) pointer += pointer prohibited",
                reason: "The sum of two addresses is neither a number nor an address.")
        }
        guard a.kind == b.kind, a.payload == b.payload, a.id == b.id, !a.maybeNull,
            a.kind == .stack || a.kind == .memory
        else { return .unknown }
        let fixed = Scalar(constant: UInt64(bitPattern: Int64(a.offset) - Int64(b.offset)))
        let variable = Scalar.result(of: Opcode.sub, wide: true, isSigned: false, a.scalar, b.scalar)
        return Register(Scalar.result(of: Opcode.add, wide: true, isSigned: false, variable, fixed))
    }

    // MARK: 64-bit immediates

    mutating func stepWideLoad(_ insn: Instruction) throws(Rejection) {
        let high = UInt64(UInt32(bitPattern: image.insns[pc + 1].imm)) << 32
        let dst = Int(insn.dst)
        switch insn.src {
        case PseudoLoad.mapFD: state[dst] = Register(kind: .mapHandle, payload: Int(insn.imm))
        case PseudoLoad.mapValue:
            let map = maps[Int(insn.imm)]
            let offset = Int(UInt32(truncatingIfNeeded: high >> 32))
            guard map.type == .array, map.maxEntries >= 1, offset < map.valueSize else {
                throw Rejection(
                    .memory, "direct value offset of \(offset) is not allowed",
                    reason:
                        "The address inside a map's value must be that of an array of one element, below its size."
                )
            }
            state[dst] = Register(kind: .mapValue, payload: Int(insn.imm), offset: offset)
        case PseudoLoad.function:
            guard let subprog = flow.subprog(startingAt: pc + 1 + Int(insn.imm)) else { return }
            state[dst] = Register(kind: .function, payload: subprog)
        case PseudoLoad.btfID:
            uses.takesKernelVariables = true
            state[dst] = try kernelVariable(TypeID(Int(insn.imm)))
        default:
            state[dst] = Register(constant: high | UInt64(UInt32(bitPattern: insn.imm)))
            if image.relocated.contains(pc) { state[dst].flags.insert(.relocated) }
        }
    }
}
