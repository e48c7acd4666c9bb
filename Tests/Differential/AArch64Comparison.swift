import CShim
import JIT
import OpsCore
import ProgramGenerator
import Verifier

/// Why programs cannot be run on AArch64 here; nil: they can.
package var reasonWithoutAArch64: String? { AArch64Machine.missing }

/// Compares the interpreter and code of the AArch64 generator on generated programs, each with the processor's atomics
/// and inlined helpers, and without both.
///
/// Maps other than arrays (per-CPU ones among them) and helpers that fill memory are left out: they are Swift, which does not run under the
/// emulator.
package func compareGeneratedProgramsOnAArch64(
    count: Int, first: UInt64, trace: Int = 0
) async throws -> Tally {
    var options = ProgramGenerator.Options()
    options.maps = [.array, .array, .percpuArray]
    options.allowsMemoryHelpers = false
    return try await onAllProcessors(count: count) { [options] indices in
        let machine = try AArch64Machine()
        defer { machine.remove() }
        var tally = Tally(command: "differential --aarch64")
        let nodes = try NodeMemory()
        var rest = indices[...]
        while !rest.isEmpty {
            var batch = AArch64Batch(nodes: nodes)
            while let index = rest.first, !batch.isFull {
                rest.removeFirst()
                let program = ProgramGenerator(seed: first &+ UInt64(index), options: options).generate()
                tally.show(program, trace: trace)
                if let outcome = try batch.add(program) { tally.note(outcome, of: program) }
            }
            for (program, outcome) in try batch.run(on: machine) { tally.note(outcome, of: program) }
        }
        return tally
    }
}

/// Programs that share one process of the emulator.
private struct AArch64Batch {
    private static let jobsMax = 1000
    private let nodes: NodeMemory
    private var jobs: [AArch64Machine.Job] = []
    private var expected: [(comparison: Comparison, effect: Effect)] = []
    private var codeBytes = 0

    private static let variants: [(features: CPUFeatures, inlinesHelpers: Bool)] = [
        ([.lse], true), ([], false),
    ]

    init(nodes: NodeMemory) { self.nodes = nodes }

    var isFull: Bool { jobs.count >= Self.jobsMax }

    /// - Returns: the outcome if there is one without running it on the machine.
    mutating func add(_ program: GeneratedProgram) throws -> Comparison.Outcome? {
        let comparison = try Comparison(program: program, nodes: nodes, showsAddresses: false)
        let (verified, refusal) = comparison.verified()
        guard let verified else { return refusal }
        let effect: Effect
        do { effect = try comparison.interpret(verified) } catch let fault as InterpreterFault {
            return .differed("accepted, but the interpreter stops: \(fault)")
        }
        expected.append((comparison, effect))
        for variant in Self.variants {
            var job = try AArch64Machine.job(
                verified, on: comparison.instance(), memory: comparison.memory(at: AArch64Machine.memoryBase),
                features: variant.features, inlinesHelpers: variant.inlinesHelpers, at: codeBytes,
                model: program.funcModel, kind: program.isMember ? .context : .registers)
            if program.isMember { job.arguments = GeneratedNodes.numbers(of: program.input) }
            codeBytes += AArch64Machine.codeByteCount(job)
            jobs.append(job)
        }
        return nil
    }

    func run(on machine: AArch64Machine) throws -> [(GeneratedProgram, Comparison.Outcome)] {
        let results = try machine.run(jobs)
        return try expected.enumerated().map { index, sample in
            for (variant, settings) in Self.variants.enumerated() {
                let result = results[index * Self.variants.count + variant]
                let actual = try sample.comparison.effect(of: result)
                guard actual != sample.effect else { continue }
                let name =
                    settings.inlinesHelpers ? "as a service compiles" : "every helper called, no atomics"
                let differences = actual.differences(from: sample.effect, in: sample.comparison.program)
                return (
                    sample.comparison.program,
                    .differed("AArch64 code (\(name)) differs from the interpreter\n\(differences)")
                )
            }
            return (sample.comparison.program, .agreed(isInside: false))
        }
    }
}

extension Comparison {
    /// What R1 points to, or leads to, when it lies at an address.
    fileprivate func memory(at start: UInt64) -> [UInt8] {
        program.isMember ? objects(of: program.input, at: start) : program.input
    }

    /// What the machine has left, read through an instance of this process.
    fileprivate func effect(of result: AArch64Machine.Result) throws -> Effect {
        let instance = try instance()
        let block = UnsafeMutableRawBufferPointer(start: instance.block, count: instance.layout.byteCount)
        func copy(_ range: Range<Int>) {
            UnsafeMutableRawBufferPointer(rebasing: block[range]).copyBytes(from: result.block[range])
        }
        for slot in instance.layout.slots {
            if let start = slot.dataOffset { copy(start..<start + slot.elementStride * slot.maxEntries) }
        }
        let percpu = AArch64Machine.percpuValues(of: instance)
        for (index, slot) in instance.layout.slots.enumerated() {
            guard let values = percpu[index] else { continue }
            for key in 0..<slot.maxEntries {
                let value = (0..<instance.configuration.cpus).flatMap { cpu in
                    let start = values.lowerBound + (cpu * slot.maxEntries + key) * slot.elementStride
                    return result.block[start..<start + slot.elementStride]
                }
                try instance.maps[index].update([UInt8(key), 0, 0, 0], value)
            }
        }
        for field in [\ops_block.fuel, \ops_block.prandom_state] {
            if let start = MemoryLayout<ops_block>.offset(of: field) { copy(start..<start + 8) }
        }
        return try effect(result.r0, result.memory, instance)
    }
}
