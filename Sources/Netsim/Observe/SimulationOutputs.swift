internal import OpsCore

/// What a run writes while it goes, beside its result. Each is a pure function of object, scenario and seed.
package struct SimulationOutputs: Sendable {
    /// Packets at the senders, as pcapng.
    package var capture: OutputSink?
    /// What senders do and know, as qlog: one output per flow, by its name.
    package var qlog: (@Sendable (String) -> OutputSink)?
    /// Calls of congestion controls, a JSON object per line.
    package var calls: OutputSink?
    /// Counts the calls, if it is not off.
    package var statistics: OpStatistics?
    /// Where the run ends early, to be looked at.
    package var stop: StopPoint?
    /// What another run is compared with.
    package var trail: PacketTrail?

    package init() {}

    /// Starts watching a world that has not run yet.
    func attach(to world: World) -> OutputWriters {
        var writers = OutputWriters()
        var observers: [any WorldObserver] = []
        var opObservers: [any OpObserver] = []
        if let capture {
            let writer = CaptureWriter(OutputStream(capture), world)
            writers.all.append(writer)
            observers.append(writer)
        }
        if let qlog {
            let writer = QlogWriter(qlog, world)
            writers.all.append(writer)
            observers.append(writer)
        }
        if let calls {
            let log = CallLog(OutputStream(calls), world)
            writers.all.append(log)
            opObservers.append(log)
        }
        if let trail {
            trail.start(world)
            writers.all.append(trail)
            observers.append(trail)
        }
        if let statistics {
            let mode = statistics.mode
            if mode != .off {
                let timer = OpTimer(statistics, mode: mode)
                writers.timer = timer
                opObservers.append(timer)
            }
        }
        if let stop {
            let inspector = Inspector(stop, world)
            writers.inspector = inspector
            switch stop {
            case .op: opObservers.append(inspector)
            case .time(let time):
                observers.append(inspector)
                world.engine.pointee.queue.push(at: time, .moment, 0)
            }
        }
        if !observers.isEmpty { world.observe(observers) }
        if !opObservers.isEmpty { world.observeOps(opObservers) }
        return writers
    }
}

/// An observer that writes.
protocol OutputWriter: AnyObject {
    /// The first failure to write.
    var failure: OpsError? { get }
    /// The run is over: what is held back goes out.
    func finish()
}

/// The outputs of one run.
struct OutputWriters {
    fileprivate(set) var all: [any OutputWriter] = []
    fileprivate(set) var inspector: Inspector?
    fileprivate var timer: OpTimer?

    /// What was to be seen where the run was to stop; nil: it has not come there.
    var dump: WorldDump? { inspector?.dump }

    /// - Throws: the first failure to write so far.
    func check() throws(OpsError) {
        for writer in all { if let failure = writer.failure { throw failure } }
    }

    func finish() throws(OpsError) {
        timer?.flush()
        for writer in all { writer.finish() }
        try check()
    }
}
