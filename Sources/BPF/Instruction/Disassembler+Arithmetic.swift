/// Text of ALU and ALU64 instructions. RFC 9669, section 4.
func arithmeticText(_ insn: Instruction, prefix: String) -> String? {
    let left = "\(prefix)\(insn.dst)"
    guard insn.src <= 10 else { return nil }
    switch insn.operation {
    case Opcode.neg: return insn.usesRegister ? nil : "\(left) = -\(left)"
    case Opcode.end: return byteSwapText(insn)
    case Opcode.mov: return moveText(insn, prefix: prefix)
    case Opcode.div, Opcode.mod:
        // Offset 1 makes it signed (version 4).
        guard let sign = [0: "", 1: "s"][insn.offset] else { return nil }
        let operation = insn.operation == Opcode.div ? "/=" : "%="
        return "\(left) \(sign)\(operation) \(operand(insn, prefix))"
    default:
        guard let operation = operations[insn.operation], insn.offset == 0 else { return nil }
        return "\(left) \(operation) \(operand(insn, prefix))"
    }
}

private let operations: [UInt8: String] = [
    Opcode.add: "+=", Opcode.sub: "-=", Opcode.mul: "*=", Opcode.or: "|=", Opcode.and: "&=",
    Opcode.lsh: "<<=",
    Opcode.rsh: ">>=", Opcode.xor: "^=", Opcode.arsh: "s>>=",
]

private func operand(_ insn: Instruction, _ prefix: String) -> String {
    insn.usesRegister ? "\(prefix)\(insn.src)" : hex(insn.imm)
}

private func moveText(_ insn: Instruction, prefix: String) -> String? {
    let left = "\(prefix)\(insn.dst)"
    guard insn.usesRegister else { return insn.offset == 0 ? "\(left) = \(hex(insn.imm))" : nil }
    switch insn.offset {
    case 0: return "\(left) = \(prefix)\(insn.src)"
    case 8, 16: return "\(left) = (s\(insn.offset))\(prefix)\(insn.src)"
    case 32 where prefix == "r": return "\(left) = (s32)\(prefix)\(insn.src)"
    case 1 where prefix == "r":
        // Kernel extension: imm holds the two address spaces.
        let spaces = UInt32(bitPattern: insn.imm)
        return "\(left) = addr_space_cast(r\(insn.src), \(hex(spaces >> 16)), \(hex(spaces & 0xffff)))"
    default: return nil
    }
}

/// `le`, `be` are ALU instructions, `bswap` (version 4) is their ALU64 form; all work on the 64-bit register.
private func byteSwapText(_ insn: Instruction) -> String? {
    guard [16, 32, 64].contains(insn.imm), insn.offset == 0 else { return nil }
    let order: String
    switch (insn.instructionClass, insn.usesRegister) {
    case (.alu, false): order = "le"
    case (.alu, true): order = "be"
    case (.alu64, false): order = "bswap"
    default: return nil
    }
    return "r\(insn.dst) = \(order)\(insn.imm) r\(insn.dst)"
}
