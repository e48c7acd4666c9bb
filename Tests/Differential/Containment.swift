import OpsCore
import Verifier

/// Looks at every step of the interpreter whether some abstract state contains what it holds.
final class Containment {
    private let observed: ObservedStates
    private let image: ProgramImage
    /// Start of the memory in R1.
    private let region: UInt
    /// By instruction: the state that held last.
    private var lastStates: [Int]
    /// The calls under way.
    private var calls: [Call] = []
    /// The first instruction where no state did.
    private(set) var failure: String?

    private struct Call {
        var subprog: Int
        /// The innermost global function around, or the program: verified by itself, its frame is the first. Its depth.
        var base: Int
        /// What a global function was handed as memory.
        var memory: UInt64
    }

    init(_ observed: ObservedStates, _ image: ProgramImage, region: UInt) {
        self.observed = observed
        self.image = image
        self.region = region
        lastStates = [Int](repeating: 0, count: image.insns.count)
    }

    func look(_ step: Interpreter.Step) {
        guard failure == nil else { return }
        follow(step)
        let machine = ObservedStates.Machine(
            depth: step.depth - calls[step.depth].base,
            registers: step.registers.dropLast().map { value($0, step) },
            stack: step.stack,
            isWritten: step.isInitialised,
            pointer: { start in
                guard let origin = step.spills[start / 8] else { return nil }
                var bits: UInt64 = 0
                for byte in step.stack[start..<start + 8].reversed() { bits = bits << 8 | UInt64(byte) }
                return self.value(Word(bits: bits, origin: origin), step)
            })
        guard let state = observed.state(containing: machine, at: step.insn, guess: lastStates[step.insn])
        else {
            failure = observed.failure(of: machine, at: step.insn)
            return
        }
        lastStates[step.insn] = state
    }

    /// Knows a call by its first step.
    private func follow(_ step: Interpreter.Step) {
        if step.depth + 1 < calls.count { calls.removeLast(calls.count - step.depth - 1) }
        guard let subprog = image.subprogs.firstIndex(where: { $0.start == step.insn }) else { return }
        // A loop may lead back to a function's first instruction.
        if step.depth < calls.count, calls[step.depth].subprog == subprog { return }
        calls.removeLast(calls.count - step.depth)
        var call = Call(subprog: subprog, base: calls.last?.base ?? 0, memory: calls.last?.memory ?? 0)
        if step.depth > 0, image.subprogs[subprog].isGlobal {
            call.base = step.depth
            call.memory =
                step.registers[1...5].first { if case .stack = $0.origin { true } else { false } }?.bits ?? 0
        }
        calls.append(call)
    }

    private func value(_ word: Word, _ step: Interpreter.Step) -> ObservedStates.Value {
        switch word.origin {
        case .uninitialised: return .init(.nothing, 0)
        case .scalar: return .init(.number, word.bits)
        case .region: return .init(.memory, word.bits &- UInt64(region))
        case .stack(let frame, _):
            let call = calls[step.depth]
            // A global function does not know whose stack its memory is.
            guard frame >= call.base else { return .init(.memory, word.bits &- call.memory) }
            // Frames lie one above the other, 512 bytes each.
            let top = step.registers[10].bits &+ UInt64(bitPattern: Int64(512 * (frame - step.depth)))
            return .init(.stack(frame: frame - call.base), word.bits &- top)
        case .map(let map): return .init(.map(map), 0)
        case .value(let map, let start): return .init(.mapValue(map), word.bits &- UInt64(start))
        case .lent: return .init(.mapKey, 0)
        case .function(let subprog): return .init(.function(subprog), 0)
        case .arena: return .init(.object, word.bits)
        case .context, .record: return .init(.other, 0)
        }
    }
}
