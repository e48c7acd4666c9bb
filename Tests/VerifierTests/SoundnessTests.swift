import BPF
import Foundation
import Testing

@testable import Verifier

/// Whatever is accepted must run without a fault, within the bound, and inside the states the verifier saw.
@Suite("Soundness") struct SoundnessTests {
    /// OPSD_FUZZ_PROGRAMS raises the count for long runs; OPSD_FUZZ_SEED moves it elsewhere.
    static let count = Int(ProcessInfo.processInfo.environment["OPSD_FUZZ_PROGRAMS"] ?? "") ?? 300
    static let seed = UInt64(ProcessInfo.processInfo.environment["OPSD_FUZZ_SEED"] ?? "") ?? 0

    static func image(_ seed: UInt64) -> ProgramImage {
        let (insns, subprogs) = Generator.program(seed: seed)
        return ProgramImage(name: "g\(seed)", section: "test", insns: insns, subprogs: subprogs)
    }

    static func context() -> ProgramContext {
        var context = ProgramContext.memory(Generator.byteCount)
        // Small, so that runs without end would show.
        context.fuel = 50
        return context
    }

    static func memories(_ seed: UInt64) -> [[UInt8]] {
        var random = SplitMix(seed: seed &* 31 &+ 7)
        var result: [[UInt8]] = [
            Array(repeating: 0, count: Generator.byteCount),
            Array(repeating: 0xff, count: Generator.byteCount),
        ]
        for _ in 0..<6 {
            var bytes: [UInt8] = []
            while bytes.count < Generator.byteCount {
                let number = random.number()
                for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(shift * 8))) }
            }
            result.append(bytes)
        }
        return result
    }

    @Test("accepted programs stay inside their memory and their bound")
    func acceptedProgramsAreSafe() {
        var accepted = 0
        for seed in Self.seed..<Self.seed + UInt64(Self.count) {
            let image = Self.image(seed)
            var verification = Verification(image, Self.context())
            verification.budget = 5000
            guard let program = try? verification.run() else { continue }
            accepted += 1
            for memory in Self.memories(seed) {
                var machine = Machine(memory: memory, seed: seed)
                do {
                    _ = try machine.run(image.insns, fuel: 50, limit: min(program.bound, 200_000)) { _, _ in }
                } catch {
                    Issue.record("seed \(seed): \(error)")
                    return
                }
            }
        }
        #expect(accepted > Self.count / 4, "\(accepted) of \(Self.count) accepted")
    }

    @Test("each concrete state lies in an abstract one, with pruning off")
    func abstractStatesContainConcreteOnes() {
        for seed in Self.seed..<Self.seed + UInt64(Self.count / 3) {
            let image = Self.image(seed)
            var verification = Verification(image, Self.context())
            verification.isPruningOff = true
            verification.budget = 3000
            verification.observesStates = true
            guard (try? verification.run()) != nil, let observed = verification.explorer?.observed else {
                continue
            }
            for memory in Self.memories(seed) {
                var machine = Machine(memory: memory, seed: seed)
                var outside: Int?
                _ = try? machine.run(image.insns, fuel: 50, limit: 20_000) { pc, frames in
                    if outside == nil, !observed[pc].contains(where: { Self.holds($0, frames) }) {
                        outside = pc
                    }
                }
                if let outside {
                    Issue.record("seed \(seed): no state at insn \(outside) holds the concrete one")
                    return
                }
            }
        }
    }

    /// Whether the abstract state contains these registers.
    static func holds(_ state: State, _ frames: [[UInt64]]) -> Bool {
        guard state.frames.count == frames.count else { return false }
        for (frame, registers) in zip(state.frames, frames) {
            for (register, value) in zip(frame.registers, registers) {
                let offset = UInt64(bitPattern: Int64(register.offset))
                switch register.kind {
                case .uninitialised: continue
                case .scalar: if !register.scalar.contains(value) { return false }
                case .memory:
                    if !register.scalar.contains(value &- Machine.memoryBase &- offset) { return false }
                case .stack:
                    let base = Machine.stackBase + UInt64(register.payload) * 0x1000
                    if !register.scalar.contains(value &- base &- offset) { return false }
                default: return false
                }
            }
        }
        return true
    }

    @Test("pruning changes no verdict")
    func pruningChangesNoVerdict() {
        for seed in Self.seed..<Self.seed + UInt64(Self.count / 3) {
            let image = Self.image(seed)
            var verification = Verification(image, Self.context())
            verification.isPruningOff = true
            verification.budget = 3000
            var full: Rejection?
            do { _ = try verification.run() } catch { full = error }
            if verification.explorer?.processed ?? 0 > 3000 { continue }
            var pruning = Verification(image, Self.context())
            pruning.budget = 3000
            let accepts = (try? pruning.run()) != nil
            #expect((full == nil) == accepts, "seed \(seed): \(full?.problem ?? "accepted") without pruning")
        }
    }
}
