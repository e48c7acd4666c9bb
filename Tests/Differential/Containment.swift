import OpsCore
import Verifier

/// Looks at every step of the interpreter whether some abstract state contains what it holds.
final class Containment {
    private let observed: ObservedStates
    /// Start of the memory in R1.
    private let region: UInt
    /// The first instruction where none did.
    private(set) var failure: String?

    init(_ observed: ObservedStates, region: UInt) {
        self.observed = observed
        self.region = region
    }

    func look(_ step: Interpreter.Step) {
        guard failure == nil else { return }
        let machine = ObservedStates.Machine(
            depth: step.depth, registers: step.registers.dropLast().map { value($0, step) },
            stack: step.stack,
            isWritten: step.isInitialised,
            pointer: { start in
                guard let origin = step.spills[start / 8] else { return nil }
                var bits: UInt64 = 0
                for byte in step.stack[start..<start + 8].reversed() { bits = bits << 8 | UInt64(byte) }
                return self.value(Word(bits: bits, origin: origin), step)
            })
        if !observed.contain(machine, at: step.insn) {
            failure = "insn \(step.insn): no state contains \(machine.registers)"
        }
    }

    private func value(_ word: Word, _ step: Interpreter.Step) -> ObservedStates.Value {
        switch word.origin {
        case .uninitialised: return .init(.nothing, 0)
        case .scalar: return .init(.number, word.bits)
        case .region: return .init(.memory, word.bits &- UInt64(region))
        case .stack(let frame, _):
            // Frames lie one above the other, 512 bytes each.
            let top = step.registers[10].bits &+ UInt64(bitPattern: Int64(512 * (frame - step.depth)))
            return .init(.stack(frame: frame), word.bits &- top)
        case .map(let map): return .init(.map(map), 0)
        case .value(let map, let start): return .init(.mapValue(map), word.bits &- UInt64(start))
        case .lent: return .init(.mapKey, 0)
        case .function(let subprog): return .init(.function(subprog), 0)
        case .context, .record, .arena: return .init(.other, 0)
        }
    }
}
