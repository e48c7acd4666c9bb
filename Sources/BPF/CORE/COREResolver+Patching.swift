/// Which instructions a round of patching has touched.
package struct COREOutcome: Equatable, Sendable {
    /// Adjusted to the target.
    package var relocated: Set<Int> = []
    /// Made unexecutable, each with the sentence that says what is missing.
    package var poisons: [Int: String] = [:]

    package init() {}
}

extension COREResolver {
    /// What a poisoned instruction becomes: a call of a helper that does not exist. libbpf writes the same number, so
    /// that tools recognise it.
    package static let poisonedHelper: Int32 = 0xbad2310

    /// Resolves the relocations and patches the instructions they stand for.
    ///
    /// - Parameters:
    ///   - relocations: their `insn` counts from the start of an ELF section.
    ///   - sectionStart: the slot of that section at which `insns` begin; records outside `insns` are left out.
    package mutating func apply(
        _ relocations: [CORERelocation], to insns: inout [Instruction], sectionStart: Int = 0
    ) throws(COREError) -> COREOutcome {
        var outcome = COREOutcome()
        for relocation in relocations {
            let index = relocation.insn - sectionStart
            guard insns.indices.contains(index) else { continue }
            switch try resolve(relocation) {
            case .poison(let sentence): try poison(index, sentence, &insns, &outcome)
            case .value(let value):
                if let obstacle = try patch(index, value, relocation, &insns) {
                    let subject = try subject(of: relocation)
                    try poison(
                        index, "\(subject) cannot be accessed through its target: \(obstacle)", &insns,
                        &outcome)
                } else {
                    outcome.relocated.insert(index)
                }
            }
        }
        return outcome
    }

    private func poison(
        _ index: Int, _ sentence: String, _ insns: inout [Instruction], _ outcome: inout COREOutcome
    ) throws(COREError) {
        let slots = insns[index].isWideLoad ? 2 : 1
        guard index + slots <= insns.count else { throw .insnOutside(insn: index + 1, count: insns.count) }
        for slot in index..<index + slots {
            insns[slot] = Instruction(opcode: Opcode.call, imm: Self.poisonedHelper)
            outcome.poisons[slot] = sentence
            outcome.relocated.remove(slot)
        }
    }

    /// - Returns: why the access cannot mean the same in the target; nil if the instruction has been patched.
    private mutating func patch(
        _ index: Int, _ value: COREValue, _ relocation: CORERelocation, _ insns: inout [Instruction]
    ) throws(COREError) -> String? {
        let insn = insns[index]
        switch insn.instructionClass {
        case .alu, .alu64:
            guard !insn.usesRegister else { throw .unsupportedInstruction(insn: index, opcode: insn.opcode) }
            try checkHeld(Int64(insn.imm), value, bits: 32, index, relocation)
            insns[index].imm = try narrow(
                value, is32Bit: insn.instructionClass == .alu, index, relocation)
        case .ldx, .st, .stx:
            // A resize must be possible before the value counts: the load keeps what it has otherwise.
            if let obstacle = value.resizeObstacle { return obstacle }
            guard
                insn.mode == Opcode.modeMem || insn.mode == Opcode.modeMemSX || insn.mode == Opcode.modeAtomic
            else { throw .unsupportedInstruction(insn: index, opcode: insn.opcode) }
            try checkHeld(Int64(insn.offset), value, bits: 16, index, relocation)
            guard let offset = Int16(exactly: value.value) else {
                throw .valueTooLarge(insn: index, value: value.value, subject: try subject(of: relocation))
            }
            insns[index].offset = offset
            if let counts = value.byteCounts, counts.local != counts.target {
                guard insn.size.byteCount == counts.local, let size = AccessSize(byteCount: counts.target)
                else {
                    return "it has \(counts.target) bytes there, \(counts.local) here"
                }
                insns[index].opcode = (insn.opcode & ~0x18) | size.rawValue
            }
        case .ld:
            guard insn.isWideLoad, insn.src == PseudoLoad.constant, index + 1 < insns.count,
                insns[index + 1].opcode == 0
            else { throw .unsupportedInstruction(insn: index, opcode: insn.opcode) }
            let held =
                UInt64(UInt32(bitPattern: insn.imm)) | UInt64(UInt32(bitPattern: insns[index + 1].imm)) << 32
            try checkHeld(Int64(bitPattern: held), value, bits: 64, index, relocation)
            insns[index].imm = Int32(truncatingIfNeeded: value.value)
            insns[index + 1].imm = Int32(truncatingIfNeeded: value.value >> 32)
        case .jmp, .jmp32: throw .unsupportedInstruction(insn: index, opcode: insn.opcode)
        }
        return nil
    }

    /// The instruction must hold what the object's own types give; else it was not made from this relocation.
    private mutating func checkHeld(
        _ found: Int64, _ value: COREValue, bits: UInt64, _ index: Int, _ relocation: CORERelocation
    ) throws(COREError) {
        guard let expected = value.localValue else { return }
        let mask: UInt64 = bits == 64 ? .max : (1 << bits) - 1
        guard UInt64(bitPattern: found) & mask == expected & mask else {
            throw .valueMismatch(
                insn: index, found: found, expected: Int64(bitPattern: expected),
                subject: try subject(of: relocation))
        }
    }

    /// As the 32-bit immediate of an arithmetic instruction; negative enumerators are sign-extended.
    private mutating func narrow(
        _ value: COREValue, is32Bit: Bool, _ index: Int, _ relocation: CORERelocation
    ) throws(COREError) -> Int32 {
        if let number = Int32(exactly: Int64(bitPattern: value.value)) { return number }
        // 64-bit arithmetic would extend the sign.
        if is32Bit, let number = UInt32(exactly: value.value) { return Int32(bitPattern: number) }
        throw .valueTooLarge(insn: index, value: value.value, subject: try subject(of: relocation))
    }
}

extension AccessSize {
    fileprivate init?(byteCount: Int) {
        switch byteCount {
        case 1: self = .byte
        case 2: self = .half
        case 4: self = .word
        case 8: self = .double
        default: return nil
        }
    }
}
