package import OpsCore
internal import Yams

extension Scenario {
    /// Reads a scenario file.
    ///
    /// - Parameters:
    ///   - file: its name, for messages.
    ///   - readFile: the text of a file that the scenario names (a trace); nil: there is none.
    /// - Throws: EINVAL with file, line, column, the value and what is accepted; E2BIG for a file over 1 MiB.
    package static func parse(
        _ text: String, file: String,
        readFile: @escaping (String) throws(OpsError) -> String? = { (_) throws(OpsError) in nil }
    ) throws(OpsError) -> Scenario {
        guard text.utf8.count <= Limit.bytes else {
            throw OpsError(
                "scenario", errno: OpsError.e2big, "\(file): \(text.utf8.count) bytes",
                reason: "a scenario has at most \(Limit.bytes) bytes")
        }
        try checkNesting(text, file: file)
        let root: Node?
        do { root = try Yams.compose(yaml: text) } catch { throw yamlError(error, file: file) }
        guard let root else {
            throw OpsError(
                "scenario", errno: OpsError.einval, "\(file):1:1: the file is empty",
                at: OpsError.Location(file: file, line: 1))
        }
        return try ScenarioParser(file: file, readFile: readFile).parse(
            ScenarioNode(node: root, file: file, path: ""))
    }

    /// The composer of the YAML library is recursive: what is nested deeper than any scenario never reaches it.
    private static func checkNesting(_ text: String, file: String) throws(OpsError) {
        var brackets = 0
        var line = 1
        var isIndentation = true
        var indentation = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\n"):
                line += 1
                isIndentation = true
                indentation = 0
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                brackets += 1
                isIndentation = false
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                brackets = max(0, brackets - 1)
                isIndentation = false
            case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: "\t"),
                UInt8(ascii: ":"):
                if isIndentation { indentation += 1 }
            default: isIndentation = false
            }
            if brackets > 32 || indentation > 200 {
                throw OpsError(
                    "scenario", errno: OpsError.einval, "\(file):\(line): nested too deeply",
                    at: OpsError.Location(file: file, line: line),
                    reason: "accepted: at most 32 open brackets and 200 columns of indentation")
            }
        }
    }

    private static func yamlError(_ error: any Error, file: String) -> OpsError {
        guard let yaml = error as? YamlError else {
            return OpsError(
                "scenario", errno: OpsError.einval, "\(file): not a YAML document", reason: "\(error)")
        }
        switch yaml {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return OpsError(
                "scenario", errno: OpsError.einval, "\(file):\(mark.line):\(mark.column): \(problem)",
                at: OpsError.Location(file: file, line: mark.line), reason: "not well-formed YAML")
        default:
            return OpsError(
                "scenario", errno: OpsError.einval, "\(file): not well-formed YAML",
                reason: String("\(yaml)".prefix(400)))
        }
    }
}

/// Turns the tree of a file into a `Scenario`: links first, then flows, then what needs both (sizes in `bdp`).
struct ScenarioParser {
    let file: String
    let readFile: (String) throws(OpsError) -> String?

    func parse(_ root: ScenarioNode) throws(OpsError) -> Scenario {
        let members = try root.mapping([
            "name", "seed", "duration", "links", "flows", "cross", "host", "record", "expect",
        ])
        guard let durationNode = members["duration"] else {
            throw root.refuse("duration is missing", accepted: "duration: 30s")
        }
        let duration = try durationNode.positiveTime()
        let linkNodes = try linkEntries(members["links"], root)
        let names = linkNodes.map(\.name)
        let drafts = try parseLinks(linkNodes)
        let flows = try parseFlows(members["flows"], root, links: names, drafts: drafts, duration: duration)
        let links = try finishLinks(drafts, flows: flows)
        var scenario = Scenario(
            name: try members["name"]?.title() ?? "unnamed",
            seed: try members["seed"]?.integer(0...UInt64.max) ?? 1, duration: duration, links: links,
            flows: flows, host: try members["host"].map(parseHost) ?? HostSettings(),
            recordInterval: try parseRecord(members["record"]))
        if let node = members["cross"] {
            scenario.cross = try parseCross(node, links: names, duration: duration)
        }
        if let node = members["expect"] {
            scenario.expectations = try parseExpectations(node, scenario)
        }
        try checkRecording(scenario, at: members["record"] ?? root)
        return scenario
    }

    private func parseRecord(_ node: ScenarioNode?) throws(OpsError) -> Int64? {
        guard let node else { return 100 * .millisecond }
        if let text = node.scalar {
            guard text == "off" || text == "false" else {
                throw node.refuse("not accepted", accepted: "off, or {interval: 100ms}")
            }
            return nil
        }
        let members = try node.mapping(["interval"])
        let interval = try members["interval"]?.positiveTime() ?? 100 * .millisecond
        guard interval >= .microsecond else {
            throw node.refuse("the interval is too short", accepted: "at least 1us")
        }
        return interval
    }

    /// A series is kept in memory: seven values per flow and row.
    private func checkRecording(_ scenario: Scenario, at node: ScenarioNode) throws(OpsError) {
        guard let interval = scenario.recordInterval else { return }
        let rows = Int(scenario.duration / interval) + 1
        let columns = 7 * scenario.flowCount + 2 * scenario.links.count
        let (values, overflow) = rows.multipliedReportingOverflow(by: columns)
        guard !overflow, values <= Scenario.Limit.recordedValues else {
            throw node.refuse(
                "a series of \(rows) rows for \(scenario.flowCount) flows is too long",
                accepted: "at most \(Scenario.Limit.recordedValues) values: a longer interval, or record: off"
            )
        }
    }

    private func parseHost(_ node: ScenarioNode) throws(OpsError) -> HostSettings {
        let members = try node.mapping([
            "hz", "initial_window", "tso", "gro", "delayed_ack", "sack_compression", "min_rto", "timestamps",
            "cpus", "sndbuf", "rcvbuf", "latency", "jitter",
        ])
        var host = HostSettings()
        if let node = members["hz"] { host.hz = UInt32(try node.integer(24...1000)) }
        if let node = members["initial_window"] { host.initialWindow = UInt32(try node.integer(1...1000)) }
        if let node = members["tso"] { host.tso = try node.boolean() }
        if let node = members["gro"] { host.gro = try node.boolean() }
        if let node = members["timestamps"] { host.timestamps = try node.boolean() }
        if let node = members["latency"] { host.latency = try node.time() }
        if let node = members["jitter"] { host.jitter = try node.time() }
        if let node = members["delayed_ack"] { host.delayedACK = try node.boolean() }
        if let node = members["sack_compression"] { host.sackCompression = try node.boolean() }
        if let node = members["min_rto"] {
            host.minRTO = try node.positiveTime()
            guard (Int64.millisecond...120 * .second).contains(host.minRTO) else {
                throw node.refuse("not accepted", accepted: "1ms to 120s")
            }
        }
        if let node = members["cpus"] { host.cpus = UInt32(try node.integer(1...4096)) }
        if let node = members["sndbuf"] { host.sndbuf = try bufferSize(node) }
        if let node = members["rcvbuf"] { host.rcvbuf = try bufferSize(node) }
        return host
    }

    private func bufferSize(_ node: ScenarioNode) throws(OpsError) -> Int32 {
        let size = try node.size()
        guard (4096...1 << 30).contains(size) else {
            throw node.refuse("not accepted", accepted: "4096B to 1024MiB")
        }
        return Int32(size)
    }
}

extension ScenarioNode {
    /// Free text on one line.
    func title() throws(OpsError) -> String {
        try read(
            { text in
                text.utf8.count <= 200 && text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
                    ? text : nil
            }, accepted: "one line of text, at most 200 bytes")
    }
}
