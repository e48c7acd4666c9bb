import BPF
import Verifier

/// What code generation wants to know about one subprog before it emits the first byte. Independent of the processor.
struct SubprogShape: Equatable {
    /// Its instructions in the image.
    var range: Range<Int>
    /// Bit n: some reachable instruction reads or writes Rn.
    var registersUsed: UInt16
    /// It calls helpers, kfuncs or subprogs.
    var makesCalls: Bool
    /// Bytes of BPF stack below R10.
    var stackBytes: Int
    /// Some instruction takes more than one register beyond those of BPF, or changes some of these on its way.
    var needsScratch = false
    /// A C-shaped thunk in front of it is wanted.
    var isCallback: Bool
    /// The BPF stack must be 0 on entry.
    var clearsStack: Bool

    func uses(_ register: UInt8) -> Bool { registersUsed & 1 << register != 0 }
}

extension CompileRequest {
    /// One shape per subprog of the image, in its order.
    func subprogShapes() -> [SubprogShape] {
        let image = program.image, frames = program.frames
        return image.subprogs.indices.map { index in
            let end = index + 1 < image.subprogs.count ? image.subprogs[index + 1].start : image.insns.count
            var shape = SubprogShape(
                range: image.subprogs[index].start..<end, registersUsed: 0, makesCalls: false,
                stackBytes: frames[index].stackBytes, isCallback: frames[index].isCallback,
                clearsStack: frames[index].readsUninitialised)
            for pc in shape.range where program.facts[pc].isReachable {
                let insn = Decoded(image.insns[pc])
                let inlined = insn.isCall ? inlinedCall(at: pc) : nil
                shape.note(insn, inlined: inlined)
                shape.needsScratch =
                    shape.needsScratch || program.facts[pc].isProbed || needsScratch(insn, inlined: inlined)
            }
            return shape
        }
    }
}

extension CompileRequest {
    func needsScratch(_ insn: Decoded, inlined: InlinedCall?) -> Bool {
        switch insn.instructionClass {
        case .alu, .alu64:
            switch insn.operation {
            case Opcode.div, Opcode.mod: return true
            case Opcode.lsh, Opcode.rsh, Opcode.arsh: return insn.usesRegister && !features.contains(.bmi2)
            default: return false
            }
        case .stx: return insn.mode == Opcode.modeAtomic
        case .jmp: return inlined == .random
        default: return false
        }
    }
}

extension SubprogShape {
    /// Counts the registers that an instruction names. Too many is harmless; too few would lose a caller's value.
    fileprivate mutating func note(_ insn: Decoded, inlined: InlinedCall?) {
        registersUsed |= 1 << UInt16(insn.dst)
        switch insn.instructionClass {
        case .ld: break  // src selects what the immediate means
        case .jmp where insn.isCall || insn.opcode == Opcode.callx:
            if inlined?.makesCalls ?? true { makesCalls = true }
            registersUsed |= 0b11_1111
        case .ldx, .st, .stx, .alu, .jmp, .jmp32, .alu64: registersUsed |= 1 << UInt16(insn.src)
        }
    }
}
