internal import CShim
package import KernelABI
package import OpsCore

/// One simulation: its network, flows, clock, random streams. Owns the engine's memory; used by one thread.
package final class World {
    let scenario: Scenario
    let engine: Engine
    let controls: ControlTable
    let memory: SocketMemory
    /// Where the queues of links and flows take their memory from.
    private let pool: PagePool.Handle
    /// Paths of all flows, one after the other.
    private let paths: UnsafeMutablePointer<UInt32>
    /// One name per flow: `a`, or `a.1` … `a.n`.
    let flowNames: [String]
    /// Which entry of the scenario a flow comes from.
    let flowSpecs: [Int]
    let recorder: Recorder?
    let sources: TrafficSources?
    private let returnTraffic: ReturnTraffic?
    /// Who watches: see `observe`.
    var observers: Observers?
    var opWatch: OpWatch?
    private var programTimers: ProgramTimers?
    private var isOver = false
    /// Of `controls.ejected`, those that have been taken out by `takeEjected`.
    private var ejectedTaken = 0

    /// - Parameter controls: must know every congestion control that the scenario names.
    /// - Throws: ENOENT for one that is missing; ENOMEM.
    init(_ scenario: Scenario, controls: ControlTable, memory: SocketMemory) throws(OpsError) {
        self.scenario = scenario
        self.controls = controls
        self.memory = memory
        (flowNames, flowSpecs) = World.names(scenario)
        engine = .allocate(capacity: 1)
        pool = .allocate(capacity: 1)
        pool.initialize(to: PagePool())
        let hops = flowSpecs.reduce(0) {
            $0 + scenario.flows[$1].path.count + scenario.flows[$1].returnPath.count
        }
        paths = .allocate(capacity: max(hops, 1))
        recorder = scenario.recordInterval.map {
            Recorder(scenario, interval: $0, flowCount: scenario.flowCount)
        }

        let hasSources = !scenario.cross.isEmpty || scenario.flows.contains { $0.app.isPoisson }
        sources = hasSources ? TrafficSources(scenario) : nil
        let returnLinks = Set(scenario.flows.flatMap(\.returnPath))
        returnTraffic = returnLinks.isEmpty ? nil : ReturnTraffic()
        let (lines, lineOf) = World.delayLines(scenario)
        let links = UnsafeMutablePointer<Link>.allocate(capacity: scenario.links.count)
        for (index, spec) in scenario.links.enumerated() {
            (links + index).initialize(to: World.makeLink(spec, seed: scenario.seed &+ UInt64(index), pool))
        }
        let lineBase = UnsafeMutablePointer<DelayLine>.allocate(capacity: max(lines.count, 1))
        for (index, delay) in lines.enumerated() {
            (lineBase + index).initialize(to: DelayLine(delay: delay, pool))
        }
        let flows = UnsafeMutablePointer<FlowState>.allocate(capacity: max(flowNames.count, 1))

        var random = SplitMix64.split(seed: scenario.seed, name: "boot")
        engine.initialize(
            to: EngineState(
                // One hour and up to 64 s, in steps that keep microseconds whole.
                bootNanoseconds: 3_600_000_000_000 + (random.next() & 0x3ff_ffff) * 1000, host: scenario.host,
                usesModels: scenario.host.gro || !scenario.cross.isEmpty || !returnLinks.isEmpty
                    || scenario.links.contains { $0.jitter > 0 || $0.reorder != nil },
                queue: EventQueue(capacity: 4 * flowNames.count + 64),
                traffic: EventQueue(capacity: scenario.links.count + lines.count + 16), links: links,
                linkCount: scenario.links.count, lines: lineBase, lineCount: lines.count, flows: flows,
                flowCount: flowNames.count, rateSample: try memory.makeRateSample(),
                ackSample: try memory.makeAckSample(), effects: PendingEffects(), controls: controls,
                random: SplitMix64.split(seed: scenario.seed, name: "sequence numbers"),
                cycleRandom: SplitMix64.split(seed: scenario.seed, name: "gain cycle"),
                jitterRandom: SplitMix64.split(seed: scenario.seed, name: "host jitter")))
        engine.pointee.advance(to: 0)
        let timers = ProgramTimers(engine, controls.instances)
        programTimers = timers
        engine.pointee.sources = sources.map { Unmanaged.passUnretained($0) }
        engine.pointee.programTimers = Unmanaged.passUnretained(timers)
        controls.live?.onInstance = { [unowned timers] in timers.add($0) }
        controls.live?.now = { [engine] in engine.pointee.now }
        controls.onExcess = { [engine] in engine.pointee.effects.noteExcess() }
        engine.pointee.returnTraffic = returnTraffic.map { Unmanaged.passUnretained($0) }
        for link in returnLinks.sorted() { watch(link: link) }
        try makeFlows(lineOf: lineOf)
        schedule()
    }

    deinit {
        // Flows still hold what programs gave them: their release comes before the memory goes.
        finish()
        for index in 0..<engine.pointee.flowCount {
            let flow = engine.pointee.flows + index
            flow.pointee.segments.free()
            flow.pointee.resent.free()
            flow.pointee.deliveries.free()
            flow.pointee.chunks.free()
            flow.pointee.receiverState.outOfOrder.free()
        }
        for index in 0..<engine.pointee.linkCount { engine.pointee.links[index].free() }
        for index in 0..<engine.pointee.lineCount { engine.pointee.lines[index].free() }
        engine.pointee.links.deallocate()
        engine.pointee.lines.deallocate()
        engine.pointee.flows.deinitialize(count: engine.pointee.flowCount)
        engine.pointee.flows.deallocate()
        engine.pointee.queue.free()
        engine.pointee.traffic.free()
        engine.pointee.effects.free()
        engine.deinitialize(count: 1)
        engine.deallocate()
        paths.deallocate()
        pool.pointee.free()
        pool.deinitialize(count: 1)
        pool.deallocate()
    }

    /// A world whose flows may also use congestion controls in C or Swift, beside the built-in ones.
    ///
    /// - Parameter native: must live as long as the world.
    /// - Throws: ENOENT for a congestion control that is missing; ENOMEM.
    package convenience init(
        _ scenario: Scenario, native: [(name: String, ops: UnsafePointer<tcp_congestion_ops>)] = []
    ) throws(OpsError) {
        let controls = ControlTable()
        for control in native {
            controls.add(name: control.name, ops: control.ops)
        }
        try self.init(
            scenario, controls: controls, memory: try SocketMemory(flowCount: scenario.flowCount))
    }

    // MARK: Running

    /// Simulated time so far, nanoseconds.
    package var now: Int64 { engine.pointee.now }

    /// Runs at most `budget` events.
    /// - Returns: whether the run is not over yet.
    package func step(budget: Int) -> Bool {
        guard !isOver else { return false }
        engine.pointee.recorder = recorder.map { Unmanaged.passUnretained($0) }
        if engine.run(until: scenario.duration, budget: budget) { return true }
        isOver = true
        return false
    }

    /// Runs up to a time within the scenario's duration.
    package func run(until time: Int64) {
        while !isOver, engine.run(until: min(time, scenario.duration), budget: 100_000) {}
    }

    /// What was ejected since the last call.
    func takeEjected() -> ArraySlice<EjectedControl> {
        defer { ejectedTaken = controls.ejected.count }
        return controls.ejected[ejectedTaken...]
    }

    /// Closes every connection that is still open, as the end of a process does.
    func finish() {
        for index in 0..<engine.pointee.flowCount {
            let flow = engine.pointee.flows + index
            if flow.pointee.phase != .failed { flow.endConnection(.done) }
        }
    }

    /// After the last event: connections end, packets go, and with them most of the world's memory.
    func discardTraffic() {
        finish()
        for index in 0..<engine.pointee.linkCount {
            engine.pointee.links[index].discardPackets(at: engine.pointee.now)
        }
        for index in 0..<engine.pointee.lineCount { engine.pointee.lines[index].removeAll() }
        pool.pointee.free()
    }

    // MARK: Making

    private static func names(_ scenario: Scenario) -> ([String], [Int]) {
        var names: [String] = []
        var specs: [Int] = []
        for (index, flow) in scenario.flows.enumerated() {
            for number in 0..<flow.count {
                names.append(flow.count == 1 ? flow.name : "\(flow.name).\(number + 1)")
                specs.append(index)
            }
        }
        return (names, specs)
    }

    /// Return delay = base RTT less the delays of all links that the flow crosses, plus what the hosts take; flows that
    /// share it share a line.
    private static func delayLines(_ scenario: Scenario) -> (delays: [Nanoseconds], lineOf: [UInt32]) {
        var delays: [Nanoseconds] = []
        var known: [Nanoseconds: UInt32] = [:]
        var lineOf: [UInt32] = []
        for flow in scenario.flows {
            let links = (flow.path + flow.returnPath).reduce(Int64(0)) { $0 + scenario.links[$1].delay }
            let back = flow.rtt - links + 2 * scenario.host.latency
            if let line = known[back] {
                lineOf.append(line)
            } else {
                known[back] = UInt32(delays.count)
                lineOf.append(UInt32(delays.count))
                delays.append(back)
            }
        }
        return (delays, lineOf)
    }

    private static func makeLink(
        _ spec: Scenario.LinkSpec, seed: UInt64, _ pool: PagePool.Handle
    ) -> Link {
        let rate: RateSchedule
        if let trace = spec.trace {
            rate = RateSchedule(DeliveryTrace(milliseconds: trace))
        } else {
            rate = RateSchedule(
                steps: spec.rate.map { RateSchedule.Step(at: $0.at, bitsPerSecond: $0.bitsPerSecond) })
        }
        let models = LinkModels(spec, seed: seed)
        return Link(
            delay: spec.delay, bufferBytes: spec.bufferBytes, markBytes: spec.markBytes, rate: rate,
            models: models.isNeeded ? models : nil, pool: pool)
    }

    private func makeFlows(lineOf: [UInt32]) throws(OpsError) {
        var path = paths
        for (index, specIndex) in flowSpecs.enumerated() {
            let spec = scenario.flows[specIndex]
            guard let control = controls.number(of: spec.control.key),
                let receiverControl = controls.number(of: spec.receiverControl.key)
            else {
                let missing = controls.number(of: spec.control.key) == nil ? spec.cc : spec.receiverCC
                throw OpsError(
                    "not-found", errno: OpsError.enoent,
                    "flow '\(spec.name)': there is no congestion control '\(missing)'",
                    suggestion: "register an object whose struct has .name = \"\(missing)\"")
            }
            let start = UnsafePointer(path)
            for hop in spec.path + spec.returnPath {
                path.pointee = UInt32(hop)
                path += 1
            }
            let flow = engine.pointee.flows + index
            flow.initialize(
                to: FlowState(
                    engine: engine, index: UInt32(index), sender: try memory.makeSocket(of: flow),
                    senderControl: control, senderOps: controls.current(control), segments: Ring(pool),
                    resent: Ring(pool), deliveries: Ring(pool), chunks: Ring(pool),
                    receiver: try memory.makeSocket(of: flow), receiverControl: receiverControl,
                    receiverOps: controls.current(receiverControl), receiverState: ReceiverState(),
                    path: start, hopCount: UInt8(spec.path.count), delayLine: lineOf[specIndex],
                    returnPath: start + spec.path.count, returnCount: UInt8(spec.returnPath.count),
                    ecn: spec.ecn,
                    application: Application(kind: spec.app.kind, start: spec.start, stop: spec.stop)))
            if let group = sources?.group(of: index) { flow.pointee.application.group = group }
        }
    }

    private func schedule() {
        for index in 0..<flowNames.count
        where engine.pointee.flows[index].application.group == FlowState.none {
            let start = engine.pointee.flows[index].application.start
            engine.pointee.queue.push(at: start, .application, UInt32(index))
        }
        scheduleSources()
        for kind in [SampleKind.ordinary, .transfers] where flowSpecs.contains(where: { isOf(kind, $0) }) {
            engine.pointee.queue.push(at: 0, .sample, kind.rawValue)
        }
        if let interval = scenario.recordInterval {
            engine.pointee.queue.push(at: interval, .record, 0)
        }
    }

    private func scheduleSources() {
        guard let sources else { return }
        for (index, cross) in sources.cross.enumerated() {
            engine.pointee.queue.push(at: cross.spec.start, .cross, UInt32(index))
        }
        for index in sources.arrivals.indices {
            if let first = sources.arrivals[index].next(after: 0) {
                engine.pointee.queue.push(at: first, .arrival, UInt32(index))
            }
        }
    }

    private func isOf(_ kind: SampleKind, _ spec: Int) -> Bool {
        switch scenario.flows[spec].app {
        case .transfer, .poisson: kind == .transfers
        case .bulk, .write: kind == .ordinary
        }
    }
}

extension Scenario.AppSpec {
    var isPoisson: Bool {
        if case .poisson = self { return true }
        return false
    }

    var kind: Application.Kind {
        switch self {
        case .bulk: .bulk
        case .transfer(let bytes, let count, let gap): .transfer(bytes: bytes, count: count, gap: gap)
        case .write(let bytes, let every): .write(bytes: bytes, every: every)
        // Of the group: each arrival brings its own size.
        case .poisson: .transfer(bytes: 1, count: .max, gap: 0)
        }
    }
}
