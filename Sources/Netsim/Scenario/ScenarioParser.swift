package import OpsCore

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
        try read(YAMLNode.parse(text, file: file), readFile: readFile)
    }

    /// The same, of a tree that may have been edited.
    package static func read(
        _ root: YAMLNode,
        readFile: @escaping (String) throws(OpsError) -> String? = { (_) throws(OpsError) in nil }
    ) throws(OpsError) -> Scenario {
        try ScenarioParser(readFile: readFile).parse(ScenarioNode(node: root, path: ""))
    }
}

/// Turns the tree of a file into a `Scenario`: links first, then flows, then what needs both (sizes in `bdp`).
struct ScenarioParser {
    let readFile: (String) throws(OpsError) -> String?

    func parse(_ root: ScenarioNode) throws(OpsError) -> Scenario {
        let members = try root.mapping([
            "name", "seed", "duration", "links", "flows", "cross", "host", "record", "expect", "grade",
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
        if let node = members["grade"] { scenario.grade = try parseGrade(node, scenario) }
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
    package func title() throws(OpsError) -> String {
        try read(
            { text in
                text.utf8.count <= 200 && text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
                    ? text : nil
            }, accepted: "one line of text, at most 200 bytes")
    }
}
