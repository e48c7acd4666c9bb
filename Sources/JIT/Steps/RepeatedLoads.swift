import BPF
import Verifier

/// Loads of what some register still holds.
///
/// clang merges such loads, but not where the offset of a field is relocated when the program is loaded (CO-RE): each
/// access of a kernel structure then stands by itself, and a socket's window is read five times in a row. Only plain loads
/// of the same register plus offset are looked at, from one way in to the next that is not known, which takes one pass.
/// That two loads side by side see one value is what they may do anyway; a loop that waits for another to write goes on
/// loading, since at its head nothing is known.
struct RepeatedLoads {
    /// A register that holds what lies at base + offset.
    private struct Copy: Equatable {
        var base: UInt8
        var value: UInt8
        var width: Width
        /// The register has nothing above the width: it was loaded, not stored.
        var isWhole: Bool
        var offset: Int16

        var byteCount: Int { Int(width.rawValue) / 8 }
    }

    /// What is known on the way to a step further down, and how many jumps have brought that.
    private struct Arrival {
        var target: Int32
        var jumps: UInt16
        var copies: [Copy]
    }

    private static let copiesMax = 8
    private static let arrivalsMax = 8

    private var copies: [Copy] = []
    private var arrivals: [Arrival] = []

    static func replace(in list: inout StepList, _ facts: [InsnFacts]) {
        var loads = RepeatedLoads()
        var isReached = true
        for index in list.steps.indices {
            if list.arrivals[index] > 0 {
                loads.arrive(at: index, jumps: list.arrivals[index], isReached: isReached)
                isReached = true
            }
            let step = list.steps[index]
            if step.kind == .plain { loads.take(&list.steps[index], isProbed: facts[Int(step.pc)].isProbed) }
            if step.kind != .nothing, Int(step.target) > index { loads.leave(for: step.target) }
            if step.endsFlow { isReached = false }
        }
    }

    /// What all ways in agree on. Of those that come from below nothing is known.
    private mutating func arrive(at index: Int, jumps: UInt16, isReached: Bool) {
        guard let number = arrivals.firstIndex(where: { Int($0.target) == index }) else {
            return copies.removeAll(keepingCapacity: true)
        }
        let arrival = arrivals.remove(at: number)
        if arrival.jumps != jumps || jumps == .max {
            copies.removeAll(keepingCapacity: true)
        } else if isReached {
            copies.removeAll { !arrival.copies.contains($0) }
        } else {
            copies = arrival.copies
        }
    }

    private mutating func leave(for target: Int32) {
        if let number = arrivals.firstIndex(where: { $0.target == target }) {
            if arrivals[number].jumps < .max { arrivals[number].jumps += 1 }
            arrivals[number].copies.removeAll { !copies.contains($0) }
        } else {
            // One that is forgotten counts as a way in of which nothing is known.
            if arrivals.count == RepeatedLoads.arrivalsMax { arrivals.removeFirst() }
            arrivals.append(Arrival(target: target, jumps: 1, copies: copies))
        }
    }

    private mutating func take(_ step: inout Step, isProbed: Bool) {
        let insn = step.insn
        switch insn.instructionClass {
        case .ldx where insn.mode == Opcode.modeMem && !isProbed: load(&step)
        case .ld, .ldx, .alu, .alu64: forget(insn.dst)
        case .st,
            .stx where insn.mode == Opcode.modeMem:
            store(insn)
        case .stx: copies.removeAll(keepingCapacity: true)
        case .jmp where insn.isCall: copies.removeAll(keepingCapacity: true)
        case .jmp, .jmp32: break
        }
    }

    private mutating func load(_ step: inout Step) {
        let insn = step.insn
        let known = copies.first {
            $0.base == insn.src && $0.offset == insn.offset && $0.width == insn.width
        }
        if let known {
            if known.value == insn.dst, known.isWhole {
                step.kind = .nothing
                return
            }
            step.insn = .move(known.isWhole ? .b64 : .b32, insn.dst, known.value)
            return forget(insn.dst)
        }
        forget(insn.dst)
        if insn.src != insn.dst {
            note(Copy(base: insn.src, value: insn.dst, width: insn.width, isWhole: true, offset: insn.offset))
        }
    }

    private mutating func store(_ insn: Decoded) {
        let start = Int(insn.offset), end = start + insn.byteCount
        copies.removeAll {
            $0.base != insn.dst || start < Int($0.offset) + $0.byteCount && Int($0.offset) < end
        }
        guard insn.instructionClass == .stx, insn.width == .b64 || insn.width == .b32 else { return }
        note(
            Copy(
                base: insn.dst, value: insn.src, width: insn.width, isWhole: insn.width == .b64,
                offset: insn.offset))
    }

    private mutating func note(_ copy: Copy) {
        if copies.count == RepeatedLoads.copiesMax { copies.removeFirst() }
        copies.append(copy)
    }

    /// The register is to hold something else.
    private mutating func forget(_ register: UInt8) {
        copies.removeAll { $0.base == register || $0.value == register }
    }
}
