package import ControlAPI
package import Netsim
import OpsCore
import Synchronization

/// A scenario that has been read and checked.
package struct ParsedScenario: Sendable {
    package let scenario: Scenario

    package init(scenario: Scenario) { self.scenario = scenario }

    package var name: String { scenario.name }

    /// The same with another seed.
    package func with(seed: UInt64) -> ParsedScenario {
        var scenario = scenario
        scenario.seed = seed
        return ParsedScenario(scenario: scenario)
    }

    /// Whether a flow's congestion control is not built in.
    package var needsObjects: Bool { !registrationNames.isEmpty }
    /// Ops names of what is to be registered for it.
    var registrationNames: Set<String> {
        Set(scenario.controlNames).subtracting(Scenario.builtinControls)
    }
    package var hasOpenControl: Bool { scenario.hasOpenControl }
    /// With `name` where it says `cc: $CC`.
    package func trying(_ name: String) -> ParsedScenario { ParsedScenario(scenario: scenario.trying(name)) }
    package var durationSeconds: Double { Double(scenario.duration) / 1e9 }
}

extension RuntimeHost {
    /// - Parameter files: texts of the files that it names, by name.
    package func scenario(
        _ text: String, file: String, files: [String: String] = [:]
    ) throws(Refusal) -> ParsedScenario {
        ParsedScenario(
            scenario: try refusing { () throws(OpsError) in
                try Scenario.parse(text, file: file) { (name) throws(OpsError) in files[name] }
            })
    }

    /// Names of the files (traces) that a scenario needs beside itself; nothing is read.
    package static func filesNeeded(by text: String, file: String) throws(Refusal) -> [String] {
        var names: [String] = []
        _ = try refusing { () throws(OpsError) in
            try Scenario.parse(text, file: file) { (name) throws(OpsError) in
                if !names.contains(name) { names.append(name) }
                return "1"
            }
        }
        return names
    }

    /// Ops names of the maps that an object has, in its order.
    package func opsNames(of bytes: [UInt8], name: String) throws(Refusal) -> [String] {
        try refusing { () throws(OpsError) in
            try runtime.inspect(bytes, name: name).compactMap(\.opsName)
        }
    }

    /// Registers those maps of an object whose ops names the scenario uses.
    ///
    /// - Throws: ENOENT if it uses none of them: the object was given for nothing.
    package func registerNeeded(by scenario: ParsedScenario, _ bytes: [UInt8], name: String) throws(Refusal) {
        try registerNeeded(
            by: scenario.scenario.controlNames, bytes, name: name, user: "the scenario")
    }

    /// - Parameters:
    ///   - wanted: ops names.
    ///   - user: who wants them, for messages.
    package func registerNeeded(
        by wanted: [String], _ bytes: [UInt8], name: String, user: String
    ) throws(Refusal) {
        try refusing { () throws(OpsError) in
            let variables = try runtime.inspect(bytes, name: name)
            let needed = variables.filter { $0.opsName.map(wanted.contains) ?? false }
            guard !needed.isEmpty else {
                throw OpsError(
                    "not-found", errno: OpsError.enoent,
                    "no 'cc:' of \(user) names an ops of this object",
                    at: .init(object: name),
                    reason: "it has \(variables.compactMap(\.opsName).joined(separator: ", "))"
                        + ", \(user) uses \(wanted.joined(separator: ", "))")
            }
            _ = try runtime.register(bytes, name: name, options: LoadOptions(maps: needed.map(\.name)))
        }
    }

    /// Ids of the registrations that the scenario's flows would use now.
    package func registrationsUsed(by scenario: ParsedScenario) -> [UInt32] {
        let wanted = Set(scenario.scenario.controlNames)
        let all = (try? runtime.registrations()) ?? []
        return all.filter { $0.opsName.map(wanted.contains) ?? false }.map(\.id)
    }

    /// Runs to the end.
    ///
    /// - Parameters:
    ///   - live: connections get what their `cc` means when they begin; see `Simulation.Options`.
    ///   - id: what `users` calls the run.
    ///   - outputs: what is written while it runs.
    ///   - progress: called now and then, on the world's thread; false ends the run early.
    package func simulate(
        _ scenario: ParsedScenario, timing: Bool = false, live: Bool = false, uid: UInt32 = 0,
        id: UInt32? = nil, outputs: SimulationOutputs = SimulationOutputs(),
        progress: @escaping @Sendable (RunStatus) -> Bool
    ) throws(Refusal) -> JSONValue {
        var options = Simulation.Options()
        options.timing = timing
        options.live = live
        options.uid = uid
        options.label = id.map { WorldLabel(id: $0, name: scenario.name) }
        options.budget = budget.withLock { $0 }
        options.outputs = outputs
        options.describe = RuntimeHost.record
        let outcome = try run(scenario, options, progress: progress)
        guard case .finished(let bytes) = outcome else {
            throw Refusal("cancelled", errno: 125, "the simulation was cancelled")
        }
        do { return try JSONValue(parsing: bytes, limits: .reply) } catch {
            throw Refusal("internal", errno: 5, "the result is not JSON", reason: "\(error)")
        }
    }

    /// Bytes that the record of an ejection may take: they are kept, and nobody knows how much data a program has.
    private static let recordBytesMax = 256 << 10

    /// What is kept of a world that has ejected programs; without their data if that is too much.
    private static func record(_ report: EjectionReport) -> String? {
        let text = JSONValue(report).text(indented: false)
        guard text.utf8.count > recordBytesMax else { return text }
        var report = report
        for index in report.dump.maps.indices {
            report.dump.maps[index].elements = []
            report.dump.maps[index].problem = "left out: the record would exceed \(recordBytesMax >> 10) KiB"
        }
        return JSONValue(report).text(indented: false)
    }

    /// Runs to a stop point and tells what is to be seen there.
    ///
    /// - Throws: ENOENT if the run ends without coming there.
    package func inspect(
        _ scenario: ParsedScenario, at point: StopPoint, outputs: SimulationOutputs = SimulationOutputs(),
        progress: @escaping @Sendable (RunStatus) -> Bool
    ) throws(Refusal) -> JSONValue {
        var options = Simulation.Options()
        options.outputs = outputs
        options.outputs.stop = point
        switch try run(scenario, options, progress: progress) {
        case .stopped(let dump): return JSONValue(dump)
        case .cancelled: throw Refusal("cancelled", errno: 125, "the simulation was cancelled")
        case .finished:
            throw Refusal(
                "not-found", errno: 2, "the run ended before it came to where it was to stop",
                reason: "\(point)")
        }
    }

    /// Runs for its packets alone: to the end, or until the trail needs no more.
    package func record(_ trail: PacketTrail, of scenario: ParsedScenario) throws(Refusal) {
        var options = Simulation.Options()
        options.outputs.trail = trail
        _ = try run(scenario, options) { _ in !trail.isDone }
    }

    private func run(
        _ scenario: ParsedScenario, _ options: Simulation.Options,
        progress: @escaping @Sendable (RunStatus) -> Bool
    ) throws(Refusal) -> Simulation.Outcome {
        var options = options
        options.outputs.statistics = statistics
        let simulation = Simulation(
            scenario.scenario, runtime: runtime, subsystem: congestionControl, options: options)
        let (name, duration) = (scenario.name, scenario.durationSeconds)
        return try refusing { () throws(OpsError) in
            try simulation.run { now in
                progress(
                    RunStatus(
                        id: 0, scenario: name, state: "running", atS: Double(now.now) / 1e9,
                        durationS: duration, packets: Int64(clamping: now.packets)))
            }
        }
    }
}
