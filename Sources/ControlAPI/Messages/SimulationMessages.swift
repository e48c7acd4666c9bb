package struct RunParameters: Codable, Sendable {
    /// The YAML text itself.
    package var scenario: String
    /// Its file name, for messages.
    package var file: String?
    package var timing: Bool?
    /// Texts of the files that the scenario names, by name.
    package var files: [String: String]?

    package init(
        scenario: String, file: String? = nil, timing: Bool? = nil, files: [String: String]? = nil
    ) {
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
    /// `running`, `done`, `failed` or `cancelled`.
    package var state: String
    /// Simulated seconds reached, and wanted.
    package var atS: Double
    package var durationS: Double

    package init(id: UInt32, scenario: String, state: String, atS: Double, durationS: Double) {
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
