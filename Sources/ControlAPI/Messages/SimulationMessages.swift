package struct RunParameters: Codable, Sendable {
    /// The YAML text itself.
    package var scenario: String
    /// Its file name, for messages.
    package var file: String?
    package var timing: Bool?
    /// Texts of the files that the scenario names, by name.
    package var files: [String: String]?
    /// Connections get what their `cc` means when they begin.
    package var live: Bool?
    /// Answered at once; the run goes on without its connection.
    package var detach: Bool?
    /// Of those that wait the highest is next; 0 if not given.
    package var priority: Int?
    /// The run's id, which the broker tells the runtime.
    package var run: UInt32?

    package init(
        scenario: String, file: String? = nil, timing: Bool? = nil, files: [String: String]? = nil,
        live: Bool? = nil, detach: Bool? = nil, priority: Int? = nil
    ) {
        self.live = live
        self.detach = detach
        self.priority = priority
        self.scenario = scenario
        self.file = file
        self.timing = timing
        self.files = files
    }
}

/// One run of a scenario, as it stands.
package struct RunStatus: Codable, Equatable, Sendable {
    package var id: UInt32
    package var scenario: String
    /// `queued`, `running`, `done`, `failed` or `cancelled`.
    package var state: String
    package var priority: Int?
    /// Simulated seconds reached, and wanted.
    package var atS: Double
    package var durationS: Double
    /// Data packets delivered so far; nil: not told.
    package var packets: Int64?

    package init(
        id: UInt32, scenario: String, state: String, atS: Double, durationS: Double, packets: Int64? = nil
    ) {
        self.packets = packets
        self.id = id
        self.scenario = scenario
        self.state = state
        self.atS = atS
        self.durationS = durationS
    }
}

/// Progress (replies that continue) or the result (the last one).
package struct RunReply: Codable, Sendable {
    package var progress: RunStatus?
    package var result: JSONValue?

    package init(progress: RunStatus) { self.progress = progress }
    package init(result: JSONValue) { self.result = result }
}

package struct RunsReply: Codable, Sendable {
    package var runs: [RunStatus]
    package init(runs: [RunStatus]) { self.runs = runs }
}
