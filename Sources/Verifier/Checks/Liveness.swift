import BPF

/// Which registers may still be read before they are written, before each instruction, as a mask of bits 0 … 9.
///
/// A value nobody reads cannot matter: dead registers are dropped before states are compared. Computed backwards over
/// the control flow of all functions at once, since a call reads what its callee reads.
struct Liveness {
    private(set) var before: [UInt16]
    let stack: StackLiveness

    /// - Parameter mainReturnsValue: whether R0 matters when the main function exits.
    init(_ image: ProgramImage, _ flow: ControlFlow, mainReturnsValue: Bool) {
        before = Array(repeating: 0, count: image.insns.count)
        stack = StackLiveness(image, flow)
        var changed = false
        repeat {
            changed = false
            for range in flow.ranges.reversed() {
                for pc in range.reversed() where !flow.isSecondSlot[pc] {
                    let live = transfer(image, flow, at: pc, in: range, mainReturnsValue)
                    if live != before[pc] {
                        before[pc] = live
                        changed = true
                    }
                }
            }
        } while changed && flow.hasBackEdges
    }

    private func transfer(
        _ image: ProgramImage, _ flow: ControlFlow, at pc: Int, in range: Range<Int>, _ mainReturnsValue: Bool
    ) -> UInt16 {
        let insn = image.insns[pc]
        if insn.isExit {
            return range.lowerBound == 0 && !mainReturnsValue ? 0 : 1
        }
        var after: UInt16 = 0
        if let target = ControlFlow.target(of: insn, at: pc) { after |= before[target] }
        let next = pc + (insn.isWideLoad ? 2 : 1)
        if !ControlFlow.isUnconditional(insn), next < range.upperBound { after |= before[next] }
        let (reads, writes) = Liveness.effect(of: insn)
        if insn.isCall {
            return (after & ~0x3f) | arguments(image, flow, insn, at: pc)
        }
        return ((after & ~writes) | reads) & 0x3ff
    }

    /// Argument registers a call reads. Too many is safe.
    private func arguments(_ image: ProgramImage, _ flow: ControlFlow, _ insn: Instruction, at pc: Int)
        -> UInt16
    {
        let all: UInt16 = 0x3e
        switch insn.src {
        case PseudoCall.helper:
            guard let prototype = HelperPrototype.known[insn.imm] else { return all }
            return UInt16((1 << (prototype.arguments.count + 1)) - 2) & all
        case PseudoCall.subprog:
            guard let callee = flow.subprog(startingAt: pc + 1 + Int(insn.imm)) else { return all }
            // Arguments of a global function are checked whether it reads them or not.
            return image.subprogs[callee].isGlobal ? all : before[flow.ranges[callee].lowerBound] & all
        default: return all
        }
    }

    private static func effect(of insn: Instruction) -> (reads: UInt16, writes: UInt16) {
        let dst = UInt16(1) << UInt16(insn.dst)
        let src = UInt16(1) << UInt16(insn.src)
        switch insn.instructionClass {
        case .ld: return (0, dst)
        case .ldx: return (src, dst)
        case .st: return (dst, 0)
        case .stx:
            guard insn.mode == Opcode.modeAtomic else { return (dst | src, 0) }
            switch insn.imm {
            case Opcode.atomicLoadAcquire: return (src, dst)
            case Opcode.atomicCmpxchg: return (dst | src | 1, 0)
            default: return (dst | src, 0)
            }
        case .alu, .alu64:
            let operand = insn.usesRegister && insn.operation != Opcode.end ? src : 0
            return (insn.operation == Opcode.mov ? operand : operand | dst, dst)
        case .jmp, .jmp32:
            if insn.opcode == Opcode.mayGoto || ControlFlow.isUnconditional(insn) { return (0, 0) }
            return (insn.usesRegister ? dst | src : dst, 0)
        }
    }
}
