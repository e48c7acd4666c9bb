import ArgumentParser
import ControlAPI
import Lab

/// What `sim run` writes beside its result, and where it stops.
struct OutputOptions: ParsableArguments {
    @Option(help: "Write the time series to flows.csv and links.csv in this directory.") var csv: String?
    @Option(help: "With --local: write the packets at the senders to this file, as pcapng.") var pcap: String?
    @Option(help: "With --local: write a qlog file per flow into this directory.") var qlog: String?
    @Option(help: "With --local: write every call of a congestion control to this file, as JSON lines.")
    var calls: String?
    @Option(
        name: .customLong("break"),
        help: ArgumentHelp(
            "With --local: stop before the first such call, and print socket and maps.",
            valueName: "'flow a op ssthresh'"))
    var breakpoint: String?
    @Option(
        help: ArgumentHelp(
            "With --local: stop at this simulated time, and print sockets and maps.", valueName: "1.25s"))
    var at: String?

    func validate() throws {
        guard at == nil || breakpoint == nil else {
            throw ValidationError("--break and --at stop at different places")
        }
        _ = try stop
    }

    /// Those that only a run in this process can write.
    var local: RunOutputs {
        var outputs = RunOutputs()
        outputs.capture = pcap
        outputs.qlog = qlog
        outputs.calls = calls
        return outputs
    }

    /// One of those that need a run in this process, if any is asked for.
    var localOption: String? {
        let given = [
            ("--pcap", pcap), ("--qlog", qlog), ("--calls", calls), ("--break", breakpoint), ("--at", at),
        ]
        return given.first { $0.1 != nil }?.0
    }

    var stop: RunStop? {
        get throws {
            if let breakpoint {
                guard let stop = RunStop(call: breakpoint) else {
                    throw ValidationError(
                        "--break '\(breakpoint)': not accepted; e.g. 'flow a op ssthresh'; ops are "
                            + RunStop.ops.joined(separator: ", "))
                }
                return stop
            }
            guard let at else { return nil }
            guard let stop = RunStop(time: at) else {
                throw ValidationError("--at '\(at)': not a time; e.g. 1.25s (ns us ms s)")
            }
            return stop
        }
    }

    /// What comes from the finished result.
    func write(_ result: JSONValue) throws {
        guard let csv else { return }
        let tables = try SeriesCSV.tables(of: result)
        try OutputFile.makeDirectory(csv)
        try writeFile(Array(tables.flows.utf8), to: "\(csv)/flows.csv")
        try writeFile(Array(tables.links.utf8), to: "\(csv)/links.csv")
    }
}
