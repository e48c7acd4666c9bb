import BPF

/// What members of struct_ops types do: read and write fields of their object, and follow its pointers.
extension ProgramGenerator {
    /// Takes a member's arguments out of their slots: R6 = the node, R7 and R8 numbers.
    ///
    /// - Returns: the stack slot that keeps the address of the slots for later, if any does: such a program needs them in
    ///   memory, others may get them in registers.
    mutating func loadArguments() -> Int? {
        var kept: Int?
        if random.chance(30) {
            let offset = -8
            emit(.store(.double, 10, Int16(offset), 1))
            state.reserve(offset: offset, count: 8)
            kept = offset
        }
        let word = random.pick([AccessSize.byte, .half, .word, .double])
        let loads = [
            Instruction.load(.double, 6, 1, 0), .load(random.pick([.word, .double]), 7, 1, 8),
            .load(word, 8, 1, 16),
        ]
        for load in loads.shuffled(using: &random) { emit(load) }
        for register in 7...8 { state.kinds[register] = .number }
        return kept
    }

    /// R0 = a mix with the arguments, from their slots.
    mutating func foldArguments(at kept: Int) {
        emit(.load(.double, 1, 10, Int16(kept)))
        for slot: Int16 in [8, 16] {
            emit(.load(.double, 2, 1, slot))
            fold(2)
        }
        for register in 1...2 { state.kinds[register] = .nothing }
    }

    // MARK: Fields

    mutating func writeNodeAccess() {
        if random.chance(50) { return writeNodeStore() }
        let register = random.pick(state.writable)
        writeNodeLoad(to: register, from: 6)
        state.kinds[Int(register)] = .number
    }

    /// Any part of a field that is a number.
    mutating func writeNodeLoad(to register: UInt8, from base: UInt8) {
        statistics.memoryAccesses += 1
        let field = random.pick(GeneratedTypes.fields)
        let size = random.pick(Self.sizes.filter { $0.byteCount <= field.byteCount })
        let offset = field.offset + random.below(field.byteCount / size.byteCount) * size.byteCount
        let mode = size != .double && random.chance(30) ? Opcode.modeMemSX : Opcode.modeMem
        emit(
            Instruction(
                opcode: 0x01 | size.rawValue | mode, dst: register, src: base, offset: Int16(offset)))
    }

    private mutating func writeNodeStore() {
        statistics.memoryAccesses += 1
        let field = random.pick(GeneratedTypes.fields.filter(\.isWritable))
        let size = random.pick(Self.sizes.filter { $0.byteCount <= field.byteCount })
        let inner = field.isArray ? random.below(field.byteCount / size.byteCount) * size.byteCount : 0
        let offset = Int16(field.offset + inner)
        if random.chance(30) {
            emit(
                Instruction(
                    opcode: 0x62 | size.rawValue, dst: 6, offset: offset, imm: random.immediate()))
        } else {
            emit(.store(size, 6, offset, number()))
        }
    }

    // MARK: Pointers that lead anywhere

    /// Goes from the node to others and reads what is there, maybe behind a check for NULL, maybe with other statements
    /// between.
    mutating func writeWalk() {
        let free = state.writable.filter { $0 != 0 }
        guard state.kinds[6] == .context, let pointer = free.isEmpty ? nil : random.pick(free) else {
            return writeArithmetic()
        }
        statistics.walks += 1
        emitStep(to: pointer, from: 6)
        state.kinds[Int(pointer)] = .pinned(isNumber: false)
        let before = state
        let missing = random.chance(40) ? emitNullCheck(pointer) : nil
        for _ in 0..<(1 + random.below(4)) {
            switch random.below(8) {
            case 0..<4:
                guard let target = state.writable.randomElement(using: &random) else { continue }
                writeNodeLoad(to: target, from: pointer)
                state.kinds[Int(target)] = .number
            case 4..<6: emitStep(to: pointer, from: pointer)
            case 6 where pointer > 6 && depth < 3:
                depth += 1
                let slot = random.chance(50) ? spill(pointer) : nil
                writeStatement()
                if let slot { fill(pointer, from: slot) }
                depth -= 1
            default: writeNodeStore()
            }
        }
        if let missing {
            land(missing)
            state.join(before)
        }
        emit(.mov64(pointer, imm: random.immediate()))
        state.kinds[Int(pointer)] = .number
    }

    private mutating func emitStep(to target: UInt8, from source: UInt8) {
        let offset = Int16(random.pick(GeneratedTypes.pointerOffsets))
        emit(.load(.double, target, source, offset))
    }
}
