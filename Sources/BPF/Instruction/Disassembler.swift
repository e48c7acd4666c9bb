/// Names that replace bare numbers in a listing; each returns nil to keep the number.
package struct DisassemblyNames: Sendable {
    /// A call's target: `bpf_map_lookup_elem#1`, `tcp_slow_start`, `pc+3`.
    package var call: @Sendable (_ insn: Int, Instruction) -> String?
    /// What a 64-bit immediate load with a non-zero source loads: `map[counters]`.
    package var load: @Sendable (_ insn: Int, Instruction, _ next: Instruction) -> String?

    package init(
        call: @escaping @Sendable (Int, Instruction) -> String? = { _, _ in nil },
        load: @escaping @Sendable (Int, Instruction, Instruction) -> String? = { _, _, _ in nil }
    ) {
        self.call = call
        self.load = load
    }
}

/// One line per slot, in the syntax of `llvm-objdump -d` (`w0 = *(u32 *)(r1 + 0x0)`); the second slot of a 64-bit
/// immediate load is an empty line. What is no instruction of the set, version 1 to 4, is `<unknown>`.
package func disassemble(_ insns: [Instruction], names: DisassemblyNames = DisassemblyNames()) -> [String] {
    var lines: [String] = []
    lines.reserveCapacity(insns.count)
    var index = 0
    while index < insns.count {
        let next = index + 1 < insns.count ? insns[index + 1] : nil
        lines.append(text(of: insns[index], next: next, at: index, names) ?? "<unknown>")
        if insns[index].isWideLoad, next != nil {
            lines.append("")
            index += 1
        }
        index += 1
    }
    return lines
}

extension Instruction {
    /// The text of this instruction alone; a 64-bit immediate load shows its lower half.
    package var text: String {
        BPF.text(of: self, next: isWideLoad ? Instruction(opcode: 0) : nil, at: 0, DisassemblyNames())
            ?? "<unknown>"
    }
}

private func text(
    of insn: Instruction, next: Instruction?, at index: Int, _ names: DisassemblyNames
) -> String? {
    guard insn.dst <= 10 else { return nil }
    switch insn.instructionClass {
    case .alu: return arithmeticText(insn, prefix: "w")
    case .alu64: return arithmeticText(insn, prefix: "r")
    case .ldx: return loadText(insn)
    case .st: return storeImmediateText(insn)
    case .stx: return insn.mode == Opcode.modeAtomic ? atomicText(insn) : storeText(insn)
    case .ld: return wideText(insn, next: next, at: index, names)
    case .jmp: return jumpText(insn, prefix: "r", at: index, names)
    case .jmp32: return jumpText(insn, prefix: "w", at: index, names)
    }
}

/// llvm's way to print a signed number: `0x10`, `-0x10`.
func hex(_ value: some BinaryInteger) -> String {
    (value < 0 ? "-0x" : "0x") + String(value.magnitude, radix: 16)
}

/// A displacement as jumps print it: `+0x10`, `-0x10`.
func signedHex(_ value: some BinaryInteger) -> String { (value < 0 ? "" : "+") + hex(value) }

/// The address of an access: `r1 + 0x8`, `r10 - 0x4`.
func addressText(_ register: UInt8, _ offset: Int16) -> String {
    "r\(register) \(offset < 0 ? "-" : "+") 0x\(String(offset.magnitude, radix: 16))"
}

private func wideText(_ insn: Instruction, next: Instruction?, at index: Int, _ names: DisassemblyNames)
    -> String?
{
    if insn.isWideLoad {
        guard let next else { return nil }
        if let name = names.load(index, insn, next) { return "r\(insn.dst) = \(name) ll" }
        let value = Int64(next.imm) << 32 | Int64(UInt32(bitPattern: insn.imm))
        return "r\(insn.dst) = \(hex(value)) ll"
    }
    guard insn.size != .double else { return nil }
    let width = "u\(insn.size.byteCount * 8)"
    switch insn.mode {
    case Opcode.modeAbs: return "r0 = *(\(width) *)skb[\(hex(insn.imm))]"
    case Opcode.modeInd where insn.src <= 10: return "r0 = *(\(width) *)skb[r\(insn.src)]"
    default: return nil
    }
}

private func jumpText(
    _ insn: Instruction, prefix: String, at index: Int, _ names: DisassemblyNames
) -> String? {
    switch insn.opcode {
    case Opcode.gotoShort: return "goto \(signedHex(insn.offset))"
    case Opcode.gotoLong: return "gotol \(signedHex(insn.imm))"
    case Opcode.mayGoto: return "may_goto \(signedHex(insn.offset))"
    case Opcode.call: return "call \(names.call(index, insn) ?? hex(insn.imm))"
    case Opcode.callx: return "callx r\(insn.dst)"
    case Opcode.exit: return "exit"
    default: break
    }
    guard let comparison = comparisons[insn.operation], insn.src <= 10 else { return nil }
    let right = insn.usesRegister ? "\(prefix)\(insn.src)" : hex(insn.imm)
    return "if \(prefix)\(insn.dst) \(comparison) \(right) goto \(signedHex(insn.offset))"
}

private let comparisons: [UInt8: String] = [
    Opcode.jeq: "==", Opcode.jgt: ">", Opcode.jge: ">=", Opcode.jset: "&", Opcode.jne: "!=",
    Opcode.jsgt: "s>",
    Opcode.jsge: "s>=", Opcode.jlt: "<", Opcode.jle: "<=", Opcode.jslt: "s<", Opcode.jsle: "s<=",
]
