package import ControlAPI
import Foundation

/// Runs a sweep as a Slurm job array: each task fills a shard of the database, which lies beside it on a file system that the
/// nodes share, and the shards are merged when the job is over.
///
/// Whoever runs this may be killed: the job goes on, and the same call finds it by the file `job` and waits for it again.
package struct SlurmExecutor: Sendable {
    package struct Options: Sendable {
        /// At most so many tasks.
        package var tasks = 16
        /// Threads of a task, and CPUs that it asks for.
        package var workers = 1
        /// More arguments for sbatch.
        package var arguments: [String] = []

        package init() {}
    }

    private let database: SweepDatabase
    private let options: Options
    /// The program that the tasks run, by a path that the nodes have.
    private let opsctl: String
    private let folder: URL

    package init(_ database: SweepDatabase, opsctl: String, options: Options) {
        (self.database, self.opsctl, self.options) = (database, opsctl, options)
        folder = URL(filePath: database.path + ".slurm").absoluteURL
    }

    /// Blocks until the job is over and its results are in the database.
    ///
    /// - Parameter progress: called about once a second; false: no longer wait, the job goes on.
    /// - Returns: false if it was not waited for.
    /// - Throws: what Slurm says; a refusal that names each task that left runs undone, whose results so far are kept.
    package func run(progress: (SweepRunner.Progress) -> Bool) throws(Refusal) -> Bool {
        let counts = try database.counts()
        if let job = jobFile {
            guard try wait(job, counts, progress) else { return false }
            try collect()
        }
        let pending = try database.unfinished().count
        guard pending > 0 else { return true }
        let shards = (0..<min(options.tasks, pending)).map(shard)
        let job = try submit(shards)
        guard try wait(job, try database.counts(), progress) else { return false }
        try collect(job)
        return true
    }

    /// The job that goes on, for messages.
    package var jobFile: String? {
        (try? String(contentsOf: folder.appending(path: "job"), encoding: .utf8))
            .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private func shard(_ task: Int) -> String { folder.appending(path: "shard-\(task).db").path }
    private func log(_ task: Int) -> String { folder.appending(path: "task-\(task).log").path }

    // MARK: The job

    private func submit(_ shards: [String]) throws(Refusal) -> String {
        do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
            throw Refusal("io", errno: 5, "cannot make '\(folder.path)'", reason: "\(error)")
        }
        try database.makeShards(shards)
        let script =
            "exec \(Self.quoted(opsctl)) sim sweep resume "
            + "\(Self.quoted(folder.path))/shard-$SLURM_ARRAY_TASK_ID.db --workers \(options.workers)"
        let answer = try Self.command(
            ["sbatch", "--parsable", "--job-name=opsd-sweep", "--array=0-\(shards.count - 1)"]
                + ["--cpus-per-task=\(options.workers)", "--chdir=\(folder.path)"]
                + ["--output=\(folder.path)/task-%a.log"] + options.arguments + ["--wrap", script])
        // `123`, or `123;cluster`.
        let job = String(answer.prefix { $0.isNumber })
        guard !job.isEmpty else {
            throw Refusal("slurm", errno: 71, "sbatch gave no job id", reason: answer)
        }
        do {
            try Data((job + "\n").utf8).write(to: folder.appending(path: "job"), options: .atomic)
        } catch {
            throw Refusal("io", errno: 5, "cannot note job \(job) in '\(folder.path)'", reason: "\(error)")
        }
        return job
    }

    /// - Returns: false if `progress` wants no more.
    private func wait(
        _ job: String, _ counts: SweepDatabase.Counts, _ progress: (SweepRunner.Progress) -> Bool
    ) throws(Refusal) -> Bool {
        while try isQueued(job) {
            var done = counts.done
            for task in 0..<options.tasks where FileManager.default.fileExists(atPath: shard(task)) {
                done += (try? SweepDatabase.open(shard(task)).counts().done) ?? 0
            }
            guard progress(.init(done: done, all: counts.all)) else { return false }
            Thread.sleep(forTimeInterval: 1)
        }
        return true
    }

    /// Waiting, running or being cleaned up after.
    private func isQueued(_ job: String) throws(Refusal) -> Bool {
        do throws(Refusal) {
            return !(try Self.command(["squeue", "--noheader", "--jobs=\(job)", "--format=%i"])).isEmpty
        } catch {
            // Slurm forgets a job some minutes after its end.
            if error.reason?.contains("Invalid job id") == true { return false }
            throw error
        }
    }

    // MARK: Its results

    /// Merges the shards; what is left of a task that did not do its part is named.
    private func collect(_ job: String? = nil) throws(Refusal) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        let tasks = names.compactMap { name in
            name.hasPrefix("shard-") && name.hasSuffix(".db") ? Int(name.dropFirst(6).dropLast(3)) : nil
        }
        var failures: [String] = []
        for task in tasks.sorted() {
            try database.merge(shard: shard(task))
            let counts = try SweepDatabase.open(shard(task)).counts()
            guard counts.missing > 0 else { continue }
            failures.append(
                "task \(task): \(counts.missing) of \(counts.all) runs missing: \(lastWords(task))")
        }
        if let job, !failures.isEmpty {
            // Not the job: the next call makes shards of what is missing now.
            try? FileManager.default.removeItem(at: folder.appending(path: "job"))
            throw Refusal(
                "slurm", errno: 5, "\(failures.count) tasks of job \(job) did not do their part",
                reason: failures.joined(separator: "\n"), suggestion: "run the same again: it goes on")
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// What a task printed last.
    private func lastWords(_ task: Int) -> String {
        let text = (try? String(contentsOfFile: log(task), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").last.map { String($0.prefix(300)) } ?? "it printed nothing"
    }

    // MARK: Slurm's programs

    private static func command(_ words: [String]) throws(Refusal) -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        process.standardInput = FileHandle.nullDevice
        do { try process.run() } catch {
            throw Refusal("slurm", errno: 5, "cannot run \(words[0])", reason: "\(error)")
        }
        // Both are a few lines: neither can fill its pipe while the other is read.
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Refusal(
                "slurm", errno: 5, "\(words[0]) failed with code \(process.terminationStatus)",
                reason: complaint.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// For the shell that runs the tasks.
    private static func quoted(_ text: String) -> String {
        "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
