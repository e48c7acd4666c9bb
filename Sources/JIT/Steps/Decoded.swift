import BPF

/// A `BPF.Instruction` with its parts taken apart, once, for passes that look at it again and again.
///
/// `dst` and `src` may also name the virtual registers of `Step`.
struct Decoded: Equatable {
    var opcode: UInt8
    var dst: UInt8
    var src: UInt8
    var offset: Int16
    var imm: Int32

    init(opcode: UInt8, dst: UInt8 = 0, src: UInt8 = 0, offset: Int16 = 0, imm: Int32 = 0) {
        self.opcode = opcode
        self.dst = dst
        self.src = src
        self.offset = offset
        self.imm = imm
    }

    init(_ insn: Instruction) {
        self.init(
            opcode: insn.opcode, dst: insn.registers & 0xf, src: insn.registers >> 4, offset: insn.offset,
            imm: insn.imm)
    }

    /// Bits 0–2 of the opcode.
    enum Class: UInt8 { case ld = 0, ldx, st, stx, alu, jmp, jmp32, alu64 }

    var instructionClass: Class {
        switch opcode & 7 {
        case 0: .ld
        case 1: .ldx
        case 2: .st
        case 3: .stx
        case 4: .alu
        case 5: .jmp
        case 6: .jmp32
        default: .alu64
        }
    }

    /// Of a load or store.
    var width: Width {
        switch opcode & 0x18 {
        case 0x00: .b32
        case 0x08: .b16
        case 0x10: .b8
        default: .b64
        }
    }
    var byteCount: Int { Int(width.rawValue) / 8 }
    var mode: UInt8 { opcode & 0xe0 }
    var operation: UInt8 { opcode & 0xf0 }
    var usesRegister: Bool { opcode & 0x08 != 0 }
    var isWideLoad: Bool { opcode == Opcode.loadImm64 }
    var isCall: Bool { opcode == Opcode.call }
    var isExit: Bool { opcode == Opcode.exit }
}
