import BPF
import Verifier

/// One instruction of a subprog on its way to machine code: what the image says, with jumps resolved, what no path
/// reaches left out, and whatever the passes in this folder have changed.
///
/// Registers 0…10 are those of BPF. 11…15 are *virtual*: stack slots and arguments that live in machine registers
/// (see `StackSlots`).
struct Step {
    enum Kind: UInt8 {
        /// What the instruction says.
        case plain
        /// Nothing is left of it.
        case nothing
        /// An unconditional jump to `target`.
        case goto
        /// No path leads here.
        case trap
    }

    var insn: Decoded
    var kind: Kind
    /// A branch that is no conditional move though it could be one (see `GuessedSelects`).
    var isGuessed = false
    /// Instruction of the image that it comes from.
    var pc: Int32
    /// Index of the step that a jump goes to; -1: it is no jump.
    var target: Int32 = -1

    init(_ insn: Decoded, at pc: Int, kind: Kind = .plain) {
        self.insn = insn
        self.kind = kind
        self.pc = Int32(truncatingIfNeeded: pc)
    }

    static let virtualRegisters: Range<UInt8> = 11..<16

    /// May go on at `target`, and otherwise falls through.
    var isBranch: Bool { target >= 0 && kind == .plain }
    /// The next step is not reached from here.
    var endsFlow: Bool {
        switch kind {
        case .plain: insn.opcode == Opcode.exit
        case .nothing: false
        case .goto, .trap: true
        }
    }

    /// A move of a whole register or of its lower half: 64, 32; nil: it is something else.
    var moveWidth: Width? {
        guard kind == .plain, insn.offset == 0 else { return nil }
        switch insn.opcode {
        case Opcode.mov | 0x0f: return .b64
        case Opcode.mov | 0x0c: return .b32
        default: return nil
        }
    }

    /// The same, of a move of a constant too.
    var anyMoveWidth: Width? {
        if let width = moveWidth { return width }
        guard kind == .plain else { return nil }
        switch insn.opcode {
        case Opcode.mov | 0x07: return .b64
        case Opcode.mov | 0x04: return .b32
        default: return nil
        }
    }
}

/// Instructions of BPF that passes make.
extension Decoded {
    static func move(_ width: Width, _ dst: UInt8, _ src: UInt8) -> Decoded {
        Decoded(opcode: Opcode.mov | (width == .b64 ? 0x0f : 0x0c), dst: dst, src: src)
    }
    static func move(_ width: Width, _ dst: UInt8, constant: Int32) -> Decoded {
        Decoded(opcode: Opcode.mov | (width == .b64 ? 0x07 : 0x04), dst: dst, imm: constant)
    }
}
