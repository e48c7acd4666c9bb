/// Where values are: in machine registers, or still to be computed.
///
/// Two rules keep `Pending` values true. Before a machine register is written, every other value that needs what it
/// holds is *settled* (`release`). Before a new value of a register is noted, the same is done for that register (`free`)
/// unless the new value waits for no other (`makeWay`), so that values never wait for each other in a circle.
extension X86Generator {
    @inline(__always)
    func machine(_ register: UInt8) -> Register { registers.machine[Int(register)] }

    @inline(__always)
    func isPending(_ register: UInt8) -> Bool { pendingSet & 1 << UInt32(register) != 0 }

    /// What a register holds, or is to hold: of one that is not pending, itself.
    @inline(__always)
    func value(_ register: UInt8) -> Pending {
        isPending(register) ? pending[Int(register)] : .copy(of: register)
    }

    /// Notes what `register` is to hold from here on. `free(register)` has been called.
    mutating func define(_ register: UInt8, _ value: Pending) {
        pending[Int(register)] = value
        pendingSet |= 1 << UInt32(register)
        if !request.options.optimises { settle(register) }
    }

    /// To be called before a value is made from nothing but the value of `source` and noted for `register`. What others
    /// need of the machine register may stay there while the new value waits, if that waits for nobody.
    mutating func makeWay(for register: UInt8, from source: UInt8) {
        if value(source).dependencies & pendingSet & ~(1 << UInt32(register)) != 0 { free(register) }
    }

    /// The machine register of `register` holds its value from here on.
    mutating func isSettled(_ register: UInt8) { pendingSet &= ~(1 << UInt32(register)) }

    /// Nobody but the step at hand needs what the machine register holds.
    mutating func free(_ register: UInt8) { release(register, forSteps: live.registers) }

    /// Computes the values of others that need what the machine register of `register` holds, as far as they matter.
    private mutating func release(_ register: UInt8, forSteps wanted: UInt32) {
        var others = pendingSet & wanted & ~(1 << UInt32(register))
        while others != 0 {
            let other = UInt8(others.trailingZeroBitCount)
            others &= others - 1
            if pendingSet & 1 << UInt32(other) != 0,
                pending[Int(other)].dependencies & 1 << UInt32(register) != 0
            {
                settle(other)
            }
        }
    }

    /// Brings the value of a register into its machine register.
    mutating func settle(_ register: UInt8) {
        guard isPending(register) else { return }
        if held.byteCount > 0, held.place.dependencies & 1 << UInt32(register) != 0 { emitHeldStore() }
        let value = pending[Int(register)]
        isSettled(register)
        release(register, forSteps: .max)
        compute(value, into: machine(register))
    }

    /// Settles those of the set (bits 0…15) that wait.
    mutating func flush(_ wanted: UInt32) {
        while pendingSet & wanted != 0 { settle(UInt8((pendingSet & wanted).trailingZeroBitCount)) }
    }

    /// Memory is about to change: what is to be read from it must be read now.
    mutating func flushLoads() {
        var set = pendingSet
        while set != 0 {
            let register = UInt8(set.trailingZeroBitCount)
            set &= set - 1
            if isPending(register), pending[Int(register)].isMemory { settle(register) }
        }
    }

    /// Forgets values that nobody wants any more.
    mutating func dropDeadValues() { pendingSet &= live.registers }

    @inline(__always)
    func isDead(_ register: UInt8) -> Bool { !live.holds(register) }

    /// Whether some value is to be made from what the machine register of `register` holds.
    func isAwaited(_ register: UInt8) -> Bool {
        var set = pendingSet
        while set != 0 {
            let other = set.trailingZeroBitCount
            set &= set - 1
            if pending[other].dependencies & 1 << UInt32(register) != 0 { return true }
        }
        return false
    }

    // MARK: Operands
    //
    // In two steps: first `want…` settles what cannot be used as it stands, for all operands of an instruction; then the
    // operands are read. Settling one never makes another unusable that was usable.

    /// Makes sure that `register(_:)` has an answer. `width`: how much of the value is looked at.
    mutating func wantRegister(_ register: UInt8, _ width: Width = .b64) {
        if register == 10, frame.framePointerOffset != 0 {
            return assembler.loadAddress(.b64, RegisterMap.scratch1, Memory(.rsp, frame.framePointerOffset))
        }
        guard isPending(register) else { return }
        let value = pending[Int(register)]
        if value.isWholeCopy || value.isCopy && width != .b64 { return }
        settle(register)
    }

    @inline(__always)
    func register(_ register: UInt8) -> Register {
        if register == 10 { return frame.framePointerOffset == 0 ? .rsp : RegisterMap.scratch1 }
        return machine(isPending(register) ? pending[Int(register)].base : register)
    }

    /// Makes sure that `memory(_:_:)` has an answer.
    mutating func wantAddress(_ register: UInt8, _ offset: Int16) {
        if isPending(register), place(register, offset) == nil { settle(register) }
    }

    /// The address in a register plus an offset, as an operand for later.
    mutating func wantPlace(_ register: UInt8, _ offset: Int16) -> Pending {
        if let place = place(register, offset) { return place }
        settle(register)
        var place = Pending.copy(of: register)
        place.displacement = Int32(offset)
        return place
    }

    /// The address in a register plus an offset; nil where it must be settled first.
    @inline(__always)
    func place(_ register: UInt8, _ offset: Int16) -> Pending? {
        guard isPending(register) else {
            var place = Pending.copy(of: register)
            place.displacement = Int32(offset)
            return place
        }
        var place = pending[Int(register)]
        guard place.kind == .address, !place.isNarrow, place.base != Pending.noRegister else { return nil }
        let (sum, overflow) = place.displacement.addingReportingOverflow(Int32(offset))
        guard !overflow, sum.addingReportingOverflow(frame.framePointerOffset).overflow == false else {
            return nil
        }
        place.displacement = sum
        return place
    }

    @inline(__always)
    func memory(_ register: UInt8, _ offset: Int16) -> Memory {
        guard let place = place(register, offset) else {
            return Memory(machine(register), Int32(offset))
        }
        return memory(place)
    }

    /// The memory operand of an address whose base is a register.
    @inline(__always)
    func memory(_ place: Pending) -> Memory {
        var base = Register.rsp, displacement = place.displacement
        switch place.base {
        case 10: displacement += frame.framePointerOffset
        case Pending.blockRegister: base = RegisterMap.block
        default: base = machine(place.base)
        }
        guard place.index != Pending.noRegister else { return Memory(base, displacement) }
        return Memory(base, index: machine(place.index), scale: place.scale, displacement)
    }

    /// A load that nobody else wants can be an operand of the instruction that wants it.
    @inline(__always)
    func foldableLoad(_ register: UInt8, _ width: Width) -> Memory? {
        guard isPending(register), isDead(register) else { return nil }
        let value = pending[Int(register)]
        guard value.kind == .load, value.width.rawValue >= width.rawValue else { return nil }
        return memory(value)
    }

    /// A constant that fits into an instruction of the width.
    @inline(__always)
    func constant(_ register: UInt8, _ width: Width) -> Int32? {
        guard isPending(register), pending[Int(register)].kind == .constant else { return nil }
        let value = pending[Int(register)].constant
        return width == .b64
            ? Int32(exactly: Int64(bitPattern: value)) : Int32(truncatingIfNeeded: value)
    }
}
