import ArgumentParser
import ControlAPI
import Foundation

/// What ops cost in a stretch of time, from two looks at the daemon's counters.
struct OpWindow {
    let seconds: Double
    /// Those that were called in it, those that took the longest together first.
    let ops: [OpRecord]

    /// - Throws: EOPNOTSUPP if nothing is counted.
    static func take(_ verb: some Verb, seconds: Double, from start: OpStatisticsReply? = nil) throws
        -> (window: OpWindow, end: OpStatisticsReply)
    {
        let before = try start ?? look(verb)
        let clock = ContinuousClock()
        let began = clock.now
        while clock.now - began < .seconds(seconds), !Interruption.hasCome { usleep(50_000) }
        let after = try look(verb)
        let earlier = Dictionary(before.ops.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        let ops = after.ops.map { $0.since(earlier[$0.key]) }.filter { $0.runCnt > 0 }
        let elapsed = (clock.now - began) / .seconds(1)
        return (OpWindow(seconds: elapsed, ops: ops.sorted { $0.estimatedNs > $1.estimatedNs }), after)
    }

    private static func look(_ verb: some Verb) throws -> OpStatisticsReply {
        let reply: OpStatisticsReply = try verb.call(.programStatistics, NoParameters())
        guard reply.mode != .off else {
            throw Refusal(
                "unsupported", errno: 95, "calls of ops are not counted",
                reason: "'statistics' of the daemon's configuration is off",
                suggestion: "set it to 'sampled' or 'on' and reload; simulations that begin then are counted")
        }
        return reply
    }
}

extension OpRecord {
    fileprivate var key: String { "\(opsName) \(op)" }

    /// Time of all calls, those that were not timed taken to be like the others.
    fileprivate var estimatedNs: Double { (meanNs ?? 0) * Double(runCnt) }

    fileprivate func json(seconds: Double) -> JSONValue {
        [
            "ops_name": .string(opsName), "op": .string(op),
            "prog_id": progID.map { .integer(Int64($0)) } ?? .null,
            "calls_per_s": .double(Double(runCnt) / seconds), "ns_mean": meanNs.map { .double($0) } ?? .null,
            "ns_p99": quantileNs(0.99).map { .integer(Int64($0)) } ?? .null,
            "cpu": .double(estimatedNs / (seconds * 1e9)),
        ]
    }
}

struct Top: Verb {
    static let configuration = CommandConfiguration(
        abstract: "Print which ops are called how often and how long they take, every second.",
        discussion: """
            Of simulations that began while the configuration's 'statistics' were sampled or on. Until interrupted; with -j \
            or -p one JSON document for each interval. p99 is right to a factor of two.
            """)

    @OptionGroup var global: GlobalOptions
    @Option(help: "Seconds between two looks.") var interval = 1.0
    @Option(help: "End after so many intervals.") var count: Int?

    func validate() throws {
        guard interval >= 0.1, interval <= 3600 else {
            throw ValidationError("--interval is 0.1 to 3600, got \(interval)")
        }
        if let count, count < 1 { throw ValidationError("--count is at least 1, got \(count)") }
    }

    func perform() throws -> Outcome {
        let hasBeenInterrupted = Interruption.watch()
        let printer = Printer(format: global.format)
        var last: OpStatisticsReply?
        var left = count ?? .max
        while left > 0, !hasBeenInterrupted() {
            let (window, end) = try OpWindow.take(self, seconds: interval, from: last)
            last = end
            left -= 1
            let ops = window.ops.map { $0.json(seconds: window.seconds) }
            printer.print(["seconds": .double(window.seconds), "ops": .array(ops)], text: Self.table(window))
        }
        return Outcome()
    }

    private static func table(_ window: OpWindow) -> String {
        var table = Table([
            .text("OPS"), .text("OP"), .number("PROG"), .number("CALLS/S"), .number("NS"), .number("P99"),
            .number("CPU"),
        ])
        for op in window.ops {
            table.add(
                op.opsName, op.op, op.progID.map { "\($0)" } ?? "-",
                String(format: "%.0f", Double(op.runCnt) / window.seconds),
                op.meanNs.map { String(format: "%.0f", $0) } ?? "-",
                op.quantileNs(0.99).map { "<\($0)" } ?? "-",
                String(format: "%.1f%%", op.estimatedNs / (window.seconds * 1e7)))
        }
        return table.text + "\n"
    }
}

struct ProgProfile: Verb {
    static let configuration = CommandConfiguration(
        commandName: "profile", abstract: "Count a program's calls and their time for a while.",
        discussion: """
            As bpftool's, over the daemon's own counters (the configuration's 'statistics'): run_cnt and run_time_ns. \
            Counters of the processor are not to be had in the service's sandbox.
            """)

    static let metrics = ["run_cnt", "run_time_ns"]

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S [duration SECONDS] [run_cnt | run_time_ns]…") var words: [String] = []

    func perform() throws -> Outcome {
        var words = Words(words)
        let selector = try words.takeRequiredSelector()
        var seconds = 1.0
        if words.take("duration") {
            guard let text = words.takeWord(), let number = Words.number(text), (1...3600).contains(number)
            else {
                throw Refusal.usage("'duration' is 1 to 3600 seconds")
            }
            seconds = Double(number)
        }
        var wanted: [String] = []
        while let metric = words.takeWord() {
            guard Self.metrics.contains(metric) else {
                throw Refusal(
                    "unsupported", errno: 95, "'\(metric)' cannot be counted here",
                    reason: "what is counted: " + Self.metrics.joined(separator: ", "))
            }
            wanted.append(metric)
        }
        let programs = try call(.programList, selector, as: ProgramsReply.self).programs
        let ids = Set(programs.map(\.id))
        _ = Interruption.watch()
        let window = try OpWindow.take(self, seconds: seconds).window
        return outcome(window.ops.filter { $0.progID.map(ids.contains) ?? false }, wanted)
    }

    private func outcome(_ ops: [OpRecord], _ wanted: [String]) -> Outcome {
        let runs = ops.reduce(0) { $0 + $1.runCnt }
        let timed = ops.reduce(0) { $0 + $1.timedCnt }
        let nanoseconds = ops.reduce(0) { $0 + $1.timedNs }
        var lines: [String] = []
        var result: JSONValue = [:]
        for metric in wanted.isEmpty ? Self.metrics : wanted {
            let value = metric == "run_cnt" ? runs : nanoseconds
            // As bpftool says how long a counter of the processor was really counting.
            let part =
                metric == "run_cnt" || runs == 0
                ? "" : String(format: "  (%.2f%%)", 100 * Double(timed) / Double(runs))
            let number = "\(value)"
            lines.append(
                String(repeating: " ", count: max(0, 18 - number.count)) + number + " " + pad(metric, 20)
                    + part)
            result = result.setting(metric, to: .integer(Int64(clamping: value)))
        }
        return Outcome(
            result.setting("timed_cnt", to: .integer(Int64(clamping: timed))),
            text: lines.joined(separator: "\n"))
    }
}
