internal import CShim
internal import KernelABI
package import OpsCore
internal import Synchronization

/// Runs one scenario against the registrations of a runtime.
package struct Simulation: Sendable {
    package struct Options: Sendable {
        /// Adds CPU and wall time to the result, which is then not reproducible.
        package var timing = false
        /// A connection gets what its flow's `cc` means when it begins, not what it meant when the run began. The result
        /// then depends on when registrations change.
        package var live = false
        /// Who pays for the instances.
        package var uid: UInt32 = 0
        /// Of each registration's programs.
        package var budget = ProgramBudget()
        /// Writes the record of an ejection.
        package var describe: @Sendable (EjectionReport) -> String? = { _ in nil }
        /// What `users` calls the world.
        package var label: WorldLabel?
        /// Events between two looks at `progress`.
        package var eventsPerStep = 2_000
        /// What is written while the run goes.
        package var outputs = SimulationOutputs()

        package init() {}
    }

    package struct Progress: Sendable {
        /// Simulated nanoseconds, and how many there will be.
        package var now: Int64
        package var duration: Int64
        /// Data packets delivered so far.
        package var packets: UInt64
    }

    package enum Outcome: Sendable {
        /// The result object of INTERFACES, as JSON bytes.
        case finished([UInt8])
        case cancelled
        /// It has come to `outputs.stop`.
        case stopped(WorldDump)
    }

    private let scenario: Scenario
    private let runtime: OpsRuntime
    private let subsystem: TCPCongestionControl
    private let options: Options

    package init(
        _ scenario: Scenario, runtime: OpsRuntime, subsystem: TCPCongestionControl,
        options: Options = Options()
    ) {
        self.scenario = scenario
        self.runtime = runtime
        self.subsystem = subsystem
        self.options = options
    }

    /// Blocks until the run is over; the world has a thread of its own.
    ///
    /// - Parameter progress: called first of all and then between events, on the world's thread; false cancels the run.
    /// - Throws: ENOENT for a congestion control that nobody has registered; ENOMEM; EBUSY.
    package func run(
        progress: @escaping @Sendable (Progress) -> Bool = { _ in true }
    ) throws(OpsError) -> Outcome {
        let box = Mutex<Result<Outcome, OpsError>?>(nil)
        let started = withoutActuallyEscaping(progress) { progress in
            WorldThread.run {
                let result: Result<Outcome, OpsError>
                do throws(OpsError) { result = .success(try runHere(progress)) } catch {
                    result = .failure(error)
                }
                box.withLock { $0 = result }
            }
        }
        guard started, let result = box.withLock({ $0 }) else {
            throw OpsError("memory", errno: OpsError.enomem, "no thread for the simulation")
        }
        return try result.get()
    }

    private func runHere(_ progress: (Progress) -> Bool) throws(OpsError) -> Outcome {
        guard progress(Progress(now: 0, duration: scenario.duration, packets: 0)) else { return .cancelled }
        let (cpu, wall) = (WorldThread.cpuSeconds, WorldThread.wallSeconds)
        let memory = try SocketMemory(flowCount: scenario.flowCount)
        let controls = ControlTable()
        let instances = try instantiate(memory, into: controls)
        defer { controls.live = nil }
        defer { instances?.close() }
        let world = try World(scenario, controls: controls, memory: memory)
        defer { world.finish() }
        let outputs = options.outputs.attach(to: world)
        while world.step(budget: options.eventsPerStep) {
            ejectFromRegistry(world)
            controls.live?.giveUpUnused(controls)
            instances?.announce()
            try outputs.check()
            guard outputs.dump == nil else { break }
            guard progress(Progress(now: world.now, duration: scenario.duration, packets: world.packetCount))
            else { return .cancelled }
        }
        ejectFromRegistry(world)
        var timing: SimulationTiming?
        if options.timing {
            timing = SimulationTiming(
                cpuSeconds: WorldThread.cpuSeconds - cpu, wallSeconds: WorldThread.wallSeconds - wall)
        }
        if let dump = outputs.dump {
            try outputs.finish()
            return .stopped(dump)
        }
        let result = world.result(timing: timing)
        try outputs.finish()
        return .finished(result)
    }

    /// What the world has ejected is detached for others too, with a record.
    private func ejectFromRegistry(_ world: World) {
        for ejected in world.takeEjected() {
            guard let ops = world.controls.registrationOps(of: ejected.number) else { continue }
            let run = options.label.map { " in run \($0.id) of '\($0.name)'" } ?? ""
            let time = Double(ejected.time) / 1e9
            ops.eject(
                kind: ejected.excess.kind, reason: "\(ejected.excess.reason) (at \(time) s\(run))",
                details: options.describe(world.report(of: ejected)))
        }
    }

    /// One instance per object for all registrations that the scenario names, or that their `init` may switch to.
    private func instantiate(
        _ memory: SocketMemory, into controls: ControlTable
    ) throws(OpsError) -> WorldInstance? {
        let generation = subsystem.generation
        var maps: [(control: Scenario.ControlSpec, map: StructOpsMap, id: UInt32)] = []
        // The caller's references keep the maps until the world has its own.
        defer {
            for entry in maps {
                if entry.id != entry.map.id { runtime.close(variant: entry.id) }
                entry.map.put()
            }
        }
        for control in scenario.controls where controls.number(of: control.key) == nil {
            guard control.name != Scenario.openControl else {
                throw OpsError(
                    "scenario", errno: OpsError.einval,
                    "the scenario leaves open which congestion control it tries: 'cc: $CC'",
                    suggestion: "'opsctl sim check --cc NAME' fills it in")
            }
            guard let map = subsystem.get(control.name) else {
                throw OpsError(
                    "not-found", errno: OpsError.enoent,
                    "there is no congestion control '\(control.name)'",
                    suggestion: "register an object whose struct has .name = \"\(control.name)\"")
            }
            maps.append((control, map, map.id))
            guard !control.params.isEmpty else { continue }
            maps[maps.count - 1].id = try runtime.makeVariant(
                of: map.id, values: control.params, uid: options.uid)
        }
        guard !maps.isEmpty else { return nil }
        var configuration = Instance.Configuration()
        configuration.cpus = Int(scenario.host.cpus)
        configuration.seed = scenario.seed
        configuration.fuelPerCall = options.budget.fuelPerCall
        controls.budget = options.budget
        let instances = try runtime.instantiate(
            maps.map(\.id), world: nil, arena: memory.arena, configuration: configuration, uid: options.uid,
            label: options.label)
        for (entry, ops) in zip(maps, instances.ops) {
            controls.add(name: entry.control.key, ops)
        }
        guard options.live else { return instances }
        controls.live = LiveControls(
            subsystem, runtime, instances, uid: options.uid,
            following: maps.compactMap { entry in
                controls.number(of: entry.control.key).map { (entry.control, $0, entry.map.id) }
            }, generation: generation)
        return instances
    }
}
