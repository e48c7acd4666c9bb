import BPF
import Verifier

/// A helper call that becomes a few instructions in place, because the instance block holds all it needs.
///
/// What a helper means is fixed by `struct ops_block` (clocks, CPU, random state) and by `InstanceLayout` (arrays), so
/// code and helper give the same result; `CompileOptions.inlinesHelpers` turns it off.
enum InlinedCall: Equatable {
    /// The helper only reads this 8-byte field.
    case readBlock(BlockWord)
    /// `bpf_get_smp_processor_id`: a 4-byte field.
    case readCPU
    /// `bpf_get_prandom_u32`: the upper half of the next number of splitmix64.
    case random
    /// `bpf_map_lookup_elem` on an array that lies in the block.
    case arrayLookup(dataOffset: Int, stride: Int, maxEntries: Int)
    /// The same on a per-CPU array: `baseOffset` is where the block has the address of CPU 0's values.
    case percpuLookup(baseOffset: Int, stride: Int, maxEntries: Int)
    /// `bpf_spin_lock`, `bpf_spin_unlock`: an instance belongs to one thread, and no program can read a lock's word.
    case nothing
    /// `bpf_iter_num_next`: the number at R1 grows by one, up to the one behind it, as long as there is fuel.
    case nextNumber
    /// `bpf_loop`: a loop around its callback. The subprog, where the instructions before the call show which it is.
    case loop(callback: Int?)

    enum BlockWord: Equatable { case ktime, ktimeCoarse, jiffies }

    /// Whether machine code still calls something, so that the stack must be aligned.
    var makesCalls: Bool {
        if case .loop = self { return true }
        return false
    }
}

/// UAPI numbers, `enum bpf_func_id`.
enum HelperID {
    static let mapLookup: Int32 = 1
    static let ktime: Int32 = 5
    static let random: Int32 = 7
    static let cpu: Int32 = 8
    static let spinLock: Int32 = 93
    static let spinUnlock: Int32 = 94
    static let jiffies: Int32 = 118
    static let ktimeBoot: Int32 = 125
    static let ktimeCoarse: Int32 = 160
    static let loop: Int32 = 181
    static let ktimeTAI: Int32 = 208
}

extension CompileRequest {
    /// What the helper call at `pc` is replaced with; nil: it is a call.
    func inlinedCall(at pc: Int) -> InlinedCall? {
        let insn = program.image.insns[pc]
        guard insn.isCall else { return nil }
        if insn.src == PseudoCall.kfunc { return inlinedKfunc(insn) }
        guard insn.src == PseudoCall.helper else { return nil }
        // No helper stands behind this one: fuel and callbacks are cheapest here.
        if insn.imm == HelperID.loop { return .loop(callback: knownCallback(at: pc)) }
        guard options.inlinesHelpers else { return nil }
        switch insn.imm {
        // A world never sleeps, so its boot time and TAI run with its monotonic clock.
        case HelperID.ktime, HelperID.ktimeBoot, HelperID.ktimeTAI: return .readBlock(.ktime)
        case HelperID.ktimeCoarse: return .readBlock(.ktimeCoarse)
        case HelperID.jiffies: return .readBlock(.jiffies)
        case HelperID.cpu: return .readCPU
        case HelperID.random: return .random
        case HelperID.mapLookup: return arrayLookup(at: pc)
        case HelperID.spinLock, HelperID.spinUnlock: return .nothing
        default: return nil
        }
    }

    private func inlinedKfunc(_ insn: Instruction) -> InlinedCall? {
        guard options.inlinesHelpers, program.image.kfuncs.indices.contains(Int(insn.imm)),
            program.image.kfuncs[Int(insn.imm)].name == "bpf_iter_num_next"
        else { return nil }
        return .nextNumber
    }

    private func arrayLookup(at pc: Int) -> InlinedCall? {
        guard let map = program.facts[pc].constantMap, layout.slots.indices.contains(map),
            program.image.maps.indices.contains(map)
        else { return nil }
        let slot = layout.slots[map]
        switch program.image.maps[map].type {
        case .array:
            return slot.dataOffset.map {
                .arrayLookup(dataOffset: $0, stride: slot.elementStride, maxEntries: slot.maxEntries)
            }
        case .percpuArray:
            // The distance from CPU to CPU has to fit into an instruction.
            let (distance, overflow) = slot.elementStride.multipliedReportingOverflow(by: slot.maxEntries)
            guard !overflow, distance <= Int32.max else { return nil }
            return slot.percpuBaseOffset.map {
                .percpuLookup(baseOffset: $0, stride: slot.elementStride, maxEntries: slot.maxEntries)
            }
        default: return nil
        }
    }

    /// The subprog whose address R2 surely holds at `pc`: loaded by one of the instructions that lead straight here.
    private func knownCallback(at pc: Int) -> Int? {
        let insns = program.image.insns
        var index = pc - 1
        // Straight means that nothing between jumps or is jumped to; a few instructions set up the other arguments.
        while index > 0, pc - index < 16 {
            let insn = insns[index]
            // The second slot of a wide load stands behind the first.
            let isSecondSlot = insns[index - 1].isWideLoad
            let load = isSecondSlot ? insns[index - 1] : insn
            switch load.instructionClass {
            case .jmp, .jmp32: return nil
            case .ld, .ldx, .alu, .alu64:
                if load.dst == 2 {
                    guard load.isWideLoad, load.src == PseudoLoad.function else { return nil }
                    let start = index + Int(load.imm)
                    guard !program.isJumpedInto(after: index, through: pc) else { return nil }
                    return program.image.subprogs.firstIndex { $0.start == start }
                }
            case .st: break
            // A fetching atomic writes its source.
            case .stx: if load.mode == Opcode.modeAtomic, load.src == 2 { return nil }
            }
            index -= isSecondSlot ? 2 : 1
        }
        return nil
    }
}

extension VerifiedProgram {
    /// Whether some jump lands on an instruction in `after + 1 ... through`.
    fileprivate func isJumpedInto(after: Int, through: Int) -> Bool {
        image.insns.indices.contains { pc in
            let insn = image.insns[pc]
            guard insn.instructionClass == .jmp || insn.instructionClass == .jmp32, !insn.isCall,
                !insn.isExit,
                pc == 0 || !image.insns[pc - 1].isWideLoad
            else { return false }
            let distance = insn.opcode == Opcode.gotoLong ? Int(insn.imm) : Int(insn.offset)
            return (after + 1...through).contains(pc + 1 + distance)
        }
    }
}
