import BPF
import Verifier

/// Stack slots that need no memory: words that a subprog reaches by constant offsets from R10 only, always whole.
///
/// clang spills to such slots what does not fit in BPF's ten registers; the machine has more. The most used become
/// virtual registers, loads and stores of them moves.
struct StackSlots {
    fileprivate struct Slot {
        var offset: Int16
        var width: Width
        /// Uses, those in loops counted more.
        var weight: Int

        var byteCount: Int { Int(width.rawValue) / 8 }
    }

    /// Rewrites accesses to at most `count` slots.
    ///
    /// - Parameter programBytes: below this, arguments are kept that no pointer of the program reaches.
    /// - Returns: how many virtual registers are in use, from 11.
    static func promote(_ list: inout StepList, count: Int, programBytes: Int) -> UInt8 {
        guard count > 0 else { return 0 }
        var slots: [Slot] = []
        // A byte that another access touches, in another way, rules its slot out.
        var mixed = Set<Int16>()
        var escapes = false
        let depth = list.loopDepths()
        for (index, step) in list.steps.enumerated() where step.kind == .plain {
            guard let access = step.stackAccess else {
                escapes = escapes || step.namesFramePointer
                continue
            }
            if access.width == .b8 || access.width == .b16 || access.isOther { mixed.insert(access.offset) }
            let weight = 1 << (3 * min(depth[index], 5))
            if let known = slots.firstIndex(where: { $0.offset == access.offset }) {
                if slots[known].width != access.width {
                    mixed.insert(access.offset)
                    // For what overlaps it, the larger counts.
                    if access.width.rawValue > slots[known].width.rawValue {
                        slots[known].width = access.width
                    }
                }
                slots[known].weight += weight
            } else {
                slots.append(Slot(offset: access.offset, width: access.width, weight: weight))
            }
            if slots.count > 64 { return 0 }
        }
        let all = slots
        slots.removeAll { slot in
            mixed.contains(slot.offset) || slot.weight < 4
                || escapes && Int(slot.offset) >= -programBytes
                || all.contains { $0.offset != slot.offset && $0.overlaps(slot) }
        }
        slots.sort { ($0.weight, $0.offset) > ($1.weight, $1.offset) }
        let chosen = slots.prefix(count)
        guard !chosen.isEmpty else { return 0 }
        for index in list.steps.indices where list.steps[index].kind == .plain {
            guard let access = list.steps[index].stackAccess,
                let number = chosen.firstIndex(where: { $0.offset == access.offset })
            else { continue }
            let register = Step.virtualRegisters.lowerBound + UInt8(number)
            let width = access.width
            let insn = list.steps[index].insn
            switch insn.instructionClass {
            case .ldx: list.steps[index].insn = .move(width, insn.dst, register)
            case .stx: list.steps[index].insn = .move(width, register, insn.src)
            default: list.steps[index].insn = .move(width, register, constant: insn.imm)
            }
        }
        return UInt8(chosen.count)
    }
}

extension StackSlots.Slot {
    fileprivate func overlaps(_ other: StackSlots.Slot) -> Bool {
        Int(offset) < Int(other.offset) + other.byteCount
            && Int(other.offset) < Int(offset) + byteCount
    }
}

extension Step {
    /// A plain load or store of the stack at a constant offset. `isOther`: one that cannot be a move.
    fileprivate var stackAccess: (offset: Int16, width: Width, isOther: Bool)? {
        switch insn.instructionClass {
        case .ldx where insn.src == 10: (insn.offset, insn.width, insn.mode != Opcode.modeMem)
        case .st where insn.dst == 10: (insn.offset, insn.width, false)
        case .stx where insn.dst == 10 && (insn.src != 10 || insn.mode == Opcode.modeAtomic):
            (insn.offset, insn.width, insn.mode != Opcode.modeMem)
        default: nil
        }
    }

    /// R10 is an operand, other than of a `stackAccess`.
    fileprivate var namesFramePointer: Bool {
        switch insn.instructionClass {
        case .ld, .ldx: return false
        case .st: return false
        case .stx: return insn.src == 10 || insn.dst == 10
        case .jmp where insn.isCall || insn.isExit: return false
        case .alu, .alu64, .jmp, .jmp32: return insn.usesRegister && insn.src == 10 || insn.dst == 10
        }
    }
}

extension StepList {
    /// In how many loops each step is (and one number behind the last): every jump backwards is taken for one, from its target to itself.
    func loopDepths() -> [Int] {
        var change = [Int](repeating: 0, count: steps.count + 1)
        for (index, step) in steps.enumerated()
        where step.target >= 0 && step.kind != .nothing && Int(step.target) <= index {
            change[Int(step.target)] += 1
            change[index + 1] -= 1
        }
        for index in change.indices.dropFirst() { change[index] += change[index - 1] }
        return change
    }
}
