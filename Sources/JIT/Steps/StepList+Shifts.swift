/// Pairs of shifts that clang writes where BPF has no better instruction.
extension StepList {
    /// `x <<= 32; x >>= n` takes the lower half and puts it `32 - n` up: a move, and a shift if there is one left. What is
    /// known of the lower half often makes the move nothing, and the shift the scale of an address.
    mutating func simplifyShifts() {
        for index in steps.indices.dropLast() where arrivals[index + 1] == 0 {
            let up = steps[index].insn, down = steps[index + 1].insn
            guard steps[index].kind == .plain, steps[index + 1].kind == .plain,
                up.opcode == Opcode.lsh | 0x07,
                up.imm == 32, up.dst == down.dst, (1...32).contains(down.imm)
            else { continue }
            switch down.opcode {
            case Opcode.rsh | 0x07: steps[index].insn = .move(.b32, up.dst, up.dst)
            case Opcode.arsh | 0x07:
                steps[index].insn = .move(.b64, up.dst, up.dst)
                // Of 32 bits, with their sign.
                steps[index].insn.offset = 32
            default: continue
            }
            if down.imm == 32 {
                steps[index + 1].kind = .nothing
            } else {
                steps[index + 1].insn = Decoded(opcode: Opcode.lsh | 0x07, dst: up.dst, imm: 32 - down.imm)
            }
        }
    }
}
