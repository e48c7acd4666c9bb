import BPF
import Foundation
package import ProgramGenerator
import Verifier

/// Compares many programs on all processors.
///
/// - Parameters:
///   - first: seed of the first program; the others follow.
///   - options: what the programs are made of.
///   - looksInsideEvery: one program of so many is held against the verifier's states, which takes half of all time.
///   - trace: 1 prints each seed before it runs, for what ends the process; 2 each program.
package func compareGeneratedPrograms(
    count: Int, first: UInt64, options: ProgramGenerator.Options = ProgramGenerator.Options(),
    looksInsideEvery: Int = 1, trace: Int = 0
) async throws -> Tally {
    try await onAllProcessors(count: count) { indices in
        var tally = Tally(command: "differential")
        let nodes = try NodeMemory()
        for index in indices {
            let program = ProgramGenerator(seed: first &+ UInt64(index), options: options).generate()
            let looksInside = program.seed.isMultiple(of: UInt64(looksInsideEvery))
            try tally.compare(program, looksInside: looksInside, trace: trace, nodes: nodes)
        }
        return tally
    }
}

/// Deals `0 ..< count` out to a worker for each processor.
func onAllProcessors(
    count: Int, _ work: @escaping @Sendable ([Int]) throws -> Tally
) async throws -> Tally {
    let workers = max(1, min(count, ProcessInfo.processInfo.activeProcessorCount))
    return try await withThrowingTaskGroup(of: Tally.self) { group in
        for worker in 0..<workers {
            group.addTask { try work(Array(stride(from: worker, to: count, by: workers))) }
        }
        return try await group.reduce(into: Tally(command: "")) { $0.add($1) }
    }
}

/// What became of many programs.
package struct Tally: Sendable {
    package private(set) var generated = 0
    package private(set) var accepted = 0
    /// Of those accepted: every step lay inside what the verifier has seen; of the rest, too long, that is not known.
    package private(set) var inside = 0
    package private(set) var differences: [String] = []
    private var refusals: [String: (count: Int, seed: UInt64)] = [:]
    private var statistics = GeneratedProgram.Statistics()
    /// What runs one of these programs again, with `--seed` and its seed behind.
    private let command: String

    init(command: String) { self.command = command }

    /// - Parameter trace: 1 prints the seed first, 2 the program too.
    mutating func compare(
        _ program: GeneratedProgram, looksInside: Bool, trace: Int, nodes: NodeMemory
    ) throws {
        let started = ContinuousClock.now
        defer { slowest = max(slowest, Slow(time: ContinuousClock.now - started, seed: program.seed)) }
        show(program, trace: trace)
        let comparison = try Comparison(program: program, nodes: nodes)
        note(try comparison.run(looksInside: looksInside), of: program) { comparison.reduced() }
    }

    /// - Parameter reduce: a smaller program that differs too.
    mutating func note(
        _ outcome: Comparison.Outcome, of program: GeneratedProgram,
        reduce: () -> (program: GeneratedProgram, difference: String)? = { nil }
    ) {
        generated += 1
        switch outcome {
        case .refused(let reason):
            // Numbers apart, so that equal reasons count together.
            let kind = String(reason.map { $0.isNumber ? "#" : $0 })
            refusals[kind, default: (0, program.seed)].count += 1
        case .agreed(let isInside):
            accepted += 1
            if isInside { inside += 1 }
            statistics += program.statistics
        case .differed(let text):
            accepted += 1
            guard differences.count < 20 else { return }
            let shown = reduce() ?? (program: program, difference: text)
            differences.append(
                "seed \(program.seed): \(shown.difference)\n\(listing(shown.program))\n"
                    + "again: \(command) --seed \(program.seed)")
        }
    }

    func show(_ program: GeneratedProgram, trace: Int) {
        if trace > 0 { report("seed \(program.seed) \(program.statistics)") }
        if trace > 1 { report(listing(program)) }
    }

    private func report(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

    private func listing(_ program: GeneratedProgram) -> String {
        zip(program.image.insns, disassemble(program.image.insns)).enumerated()
            .filter { $0.element.0 != Reduction.nothing }
            .map { "\($0.offset): \($0.element.1)" }.joined(separator: "\n")
    }

    private struct Slow: Comparable {
        var time = Duration.zero
        var seed: UInt64 = 0
        static func < (left: Slow, right: Slow) -> Bool { left.time < right.time }
    }
    private var slowest = Slow()

    mutating func add(_ other: Tally) {
        slowest = max(slowest, other.slowest)
        generated += other.generated
        accepted += other.accepted
        inside += other.inside
        differences += other.differences
        refusals.merge(other.refusals) { ($0.count + $1.count, min($0.seed, $1.seed)) }
        statistics += other.statistics
    }

    package func summary(seconds: Double) -> String {
        func mean(_ total: Int) -> String {
            String(format: "%.1f", Double(total) / Double(max(accepted, 1)))
        }
        let share = accepted * 100 / max(generated, 1)
        let time = String(format: "%.1f", seconds)
        var means = "per accepted program: insns \(mean(statistics.insns))"
        means +=
            ", helper calls \(mean(statistics.helperCalls)), subprog calls \(mean(statistics.subprogCalls))"
        means += ", global calls \(mean(statistics.globalCalls)), walks \(mean(statistics.walks))"
        means += ", loops \(mean(statistics.loops)), branches \(mean(statistics.branches))"
        means += ", memory accesses \(mean(statistics.memoryAccesses)), atomics \(mean(statistics.atomics))"
        var lines = [
            "generated \(generated), accepted \(accepted) (\(share) %), different \(differences.count), \(time) s",
            "every step inside the verifier's states: \(inside) programs",
            means, "slowest: seed \(slowest.seed), \(slowest.time)",
        ]
        for (kind, refusal) in refusals.sorted(by: { $0.value.count > $1.value.count }).prefix(12) {
            lines.append("refused \(refusal.count) (first seed \(refusal.seed)): \(kind)")
        }
        return lines.joined(separator: "\n")
    }
}
