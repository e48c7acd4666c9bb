package import Foundation

/// Measurements of Linux as a folder holds them: `scenarios.json`, `summary.csv`, and logs of callbacks.
package struct ReferenceData: Sendable {
    package let folder: URL
    package let scenarios: [ReferenceScenario]
    /// By scenario, then by figure as the file names it.
    let summary: [String: [String: Spread]]

    /// Mean and standard deviation of the kernel's repeats.
    package struct Spread: Sendable {
        package var mean: Double
        package var sd: Double
    }

    /// - Parameter folder: data may also lie in its `data` and `data/events`.
    package init(folder: URL) throws {
        self.folder = folder
        struct File: Decodable { var scenarios: [ReferenceScenario] }
        let text = try Self.read("scenarios.json", in: folder)
        scenarios = try JSONDecoder().decode(File.self, from: Data(text.utf8)).scenarios
        var summary: [String: [String: Spread]] = [:]
        for line in try Self.read("summary.csv", in: folder).split(separator: "\n").dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count >= 5, let mean = Double(fields[3]) else { continue }
            summary[String(fields[0]), default: [:]][String(fields[1])] =
                Spread(mean: mean, sd: Double(fields[4]) ?? 0)
        }
        self.summary = summary
    }

    /// The log of a scenario's callbacks; nil if there is none.
    package func callbacks(of scenario: String) -> [Callback]? {
        (try? Self.read("\(scenario).callbacks.csv", in: folder)).map(CallbackLog.read)
    }

    private static func read(_ name: String, in folder: URL) throws -> String {
        for place in ["data", "data/events"] {
            let file = folder.appending(path: place).appending(path: name)
            if let text = try? String(contentsOf: file, encoding: .utf8) { return text }
        }
        return try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }
}

/// One scenario of the reference, in its own words.
package struct ReferenceScenario: Decodable, Sendable {
    package var name: String
    /// [start in seconds, bit/s].
    var rate: [[Double]]
    var rtt_ms: Double
    var buffer_bytes: Int
    var dur_s: Double
    var flows: [String]
    var loss: Double?
    var mark_bytes: Int?
    var ecn: Int?
    var outage: String?
    var group: String?
    var step_us: Int?

    package var isCallbackLog: Bool { group == "cclog" }
    var isTransfers: Bool { flows.contains { $0.hasPrefix("short") } }

    /// What a full segment takes on the link.
    var segmentMicroseconds: Double { 1500 * 8e6 / rate[0][1] }

    /// Seconds at which flows start.
    var starts: [Double] { flows.map { (Double($0.split(separator: ",")[2]) ?? 0) / 1000 } }

    /// The same as a scenario file. The kernel's BPF selftests of cubic and dctcp run as the built-in ones, which are
    /// equal to this project's BPF ones packet for packet.
    func text(seed: Int) -> String {
        let steps = rate.map { "{at: \($0[0])s, rate: \(Int($0[1]))bit}" }.joined(separator: ", ")
        var link = "rate: [\(steps)], delay: \(rtt_ms / 2)ms, buffer: \(buffer_bytes)B"
        if let loss { link += ", loss: \(loss)" }
        if let mark_bytes { link += ", mark: \(mark_bytes)B" }
        if let outage {
            let times = outage.split(separator: ":")
            link += ", outage: {from: \(times[0])s, to: \(times[1])s}"
        }
        var text = "name: \(name)\nseed: \(seed)\nduration: \(dur_s)s\nlinks:\n  l: {\(link)}\nflows:\n"
        for (index, flow) in flows.enumerated() {
            let f = flow.split(separator: ",").map(String.init)
            let builtins = ["bpf_cubic": "cubic", "bpf_dctcp": "dctcp"]
            var line = "name: f\(index), cc: \(builtins[f[1]] ?? f[1]), path: [l], rtt: \(rtt_ms)ms"
            line += ", start: \(f[2])ms"
            switch f[0] {
            case "app": line += ", app: {write: \(f[3])B, every: \(f[4])ms}"
            case "short": line += ", app: {transfer: \(f[3])B, count: \(f[4]), gap: \(f[5])ms}"
            default: break
            }
            if ecn == 1 { line += ", ecn: true" }
            // The reference's sink uses its host's default unless the scenario is about DCTCP.
            if f[1].hasPrefix("bpf_cclog") { line += ", receiver_cc: cubic" }
            text += "  - {\(line)}\n"
        }
        return text + "record: off\n"
    }
}
