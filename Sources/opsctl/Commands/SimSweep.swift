import ArgumentParser
import ControlAPI
import Foundation
import Lab

struct SimSweep: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep", abstract: "Run a scenario over many values, seeds and algorithms.",
        subcommands: [SweepRun.self, SweepResume.self, SweepShow.self, SweepExportVerb.self],
        defaultSubcommand: SweepRun.self)
}

struct SweepRun: Verb {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run what is missing of a sweep.",
        discussion: """
            Results go to an SQLite database, on all cores. The same command goes on where an earlier one was ended or \
            killed. Exit code 1 if a run fails.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "A sweep in YAML: see docs/laboratory.md.") var file: String
    @Option(name: .customShort("o"), help: "The database, made if it does not exist.") var output: String
    @Option(help: "Register the maps of this object that the sweep uses; repeatable.") var object: [String] =
        []
    @OptionGroup var workers: WorkerOptions
    @OptionGroup var executor: ExecutorOptions

    func perform() throws -> Outcome {
        let text = String(decoding: try readFile(file), as: UTF8.self)
        let folder = URL(filePath: file).deletingLastPathComponent()
        let objects = try object.map { (name: fileName($0), bytes: try readFile($0)) }
        let (inputs, sweep) = try SweepInputs.read(text, file: fileName(file), objects: objects) { name in
            (try? readFile(URL(filePath: name, relativeTo: folder).path))
                .map { String(decoding: $0, as: UTF8.self) }
        }
        let database = try SweepDatabase.open(output, for: sweep, inputs)
        return try finish(sweep, inputs, database, workers, executor, global)
    }
}

struct SweepResume: Verb {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Run what is missing in a database, which has all that this needs.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "A sweep's database.") var database: String
    @OptionGroup var workers: WorkerOptions
    @OptionGroup var executor: ExecutorOptions

    func perform() throws -> Outcome {
        let database = try SweepDatabase.open(database, isReadOnly: false)
        let inputs = try database.inputs()
        return try finish(try inputs.sweep(), inputs, database, workers, executor, global)
    }
}

struct WorkerOptions: ParsableArguments {
    @Option(help: "Runs at the same time (default: one on each core).") var workers: Int?

    func validate() throws {
        guard workers ?? 1 >= 1 else { throw ValidationError("--workers is at least 1") }
    }

    var count: Int { workers ?? ProcessInfo.processInfo.activeProcessorCount }
}

struct ExecutorOptions: ParsableArguments {
    enum Executor: String, CaseIterable, ExpressibleByArgument { case local, slurm }

    @Option(help: "local: threads of this process; slurm: a job array.") var executor = Executor.local
    @Option(help: "With slurm: at most so many tasks, of --workers threads each (default: 16 of one).")
    var tasks: Int?
    @Option(
        name: .customLong("sbatch"), parsing: .unconditionalSingleValue,
        help: "With slurm: another argument for sbatch; repeatable.")
    var sbatch: [String] = []

    func validate() throws {
        guard executor == .slurm || (tasks == nil && sbatch.isEmpty) else {
            throw ValidationError("--tasks and --sbatch need --executor slurm")
        }
        guard tasks ?? 1 >= 1 else { throw ValidationError("--tasks is at least 1") }
    }
}

/// Runs what is missing and says what came of it.
private func finish(
    _ sweep: Sweep, _ inputs: SweepInputs, _ database: SweepDatabase, _ workers: WorkerOptions,
    _ executor: ExecutorOptions, _ global: GlobalOptions
) throws -> Outcome {
    let isInterrupted = Interruption.watch()
    let bar = ProgressBar(format: global.format)
    defer { bar.clear() }
    let start = ContinuousClock.now
    var first: Int?
    func show(_ state: SweepRunner.Progress) -> Bool {
        let before = first ?? state.done
        first = before
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let pace = state.done > before ? seconds / Double(state.done - before) : nil
        let left = pace.map { ", \(Int(($0 * Double(state.all - state.done)).rounded(.up))) s left" }
        bar.show(
            sweep.name, share: Double(state.done) / Double(max(state.all, 1)),
            detail: "\(state.done) of \(state.all) runs" + (left ?? ""))
        return !isInterrupted()
    }
    // Before a job is handed over, too: what cannot run is refused here.
    let runner = try SweepRunner(sweep, inputs, database: database)
    var suggestion = "opsctl sim sweep resume \(database.path)"
    let isComplete: Bool
    switch executor.executor {
    case .local: isComplete = try runner.run(workers: workers.count, progress: show)
    case .slurm:
        var options = SlurmExecutor.Options()
        options.tasks = executor.tasks ?? options.tasks
        options.workers = workers.workers ?? options.workers
        options.arguments = executor.sbatch
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path
        let slurm = SlurmExecutor(database, opsctl: program, options: options)
        isComplete = try slurm.run(progress: show)
        if let job = slurm.jobFile {
            suggestion = "job \(job) goes on; the same command collects its results"
        }
    }
    bar.clear()
    return try outcome(sweep, database, isComplete: isComplete, suggestion: suggestion)
}

private func outcome(
    _ sweep: Sweep, _ database: SweepDatabase, isComplete: Bool, suggestion: String
) throws -> Outcome {
    let counts = try database.counts()
    let result: JSONValue = [
        "sweep": .string(sweep.name), "database": .string(database.path),
        "points": .integer(Int64(sweep.points.count)), "runs": .integer(Int64(counts.all)),
        "done": .integer(Int64(counts.done)), "failed": .integer(Int64(counts.failed)),
        "missing": .integer(Int64(counts.missing)),
    ]
    var failure: Refusal?
    if !isComplete {
        failure = Refusal(
            "cancelled", errno: 125, "the sweep was ended early, \(counts.missing) runs are missing",
            suggestion: suggestion)
    } else if counts.failed > 0 {
        failure = Refusal(
            "runs", errno: 1, "\(counts.failed) of \(counts.all) runs failed",
            reason: try database.firstFailure())
    }
    let text =
        "\(sweep.name): \(sweep.points.count) points × \(sweep.seeds.count) seeds × "
        + "\(sweep.algorithms.count) algorithms, \(counts.done) of \(counts.all) runs done in \(database.path)"
    return Outcome(result, text: text, failure: failure)
}
