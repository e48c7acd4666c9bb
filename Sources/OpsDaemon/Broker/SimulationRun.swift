import ControlAPI

/// One run of a scenario, a job: known by its id until it is forgotten, whoever asked for it.
final class SimulationRun: @unchecked Sendable {  // Confined to the broker's loop.
    var status: RunStatus
    /// The call to run it, which is answered with the result if it is not detached; nil once it is over.
    fileprivate(set) var call: PendingCall?
    var result: JSONValue?
    var failure: Refusal?
    /// Registrations whose programs it runs.
    var uses: [UInt32] = []
    var isCancelled = false
    /// Calls that watch it.
    var watchers: [PendingCall] = []
    fileprivate(set) var ended: ContinuousClock.Instant?
    /// About what its result takes in memory.
    fileprivate(set) var byteCount = 0

    init(id: UInt32, call: PendingCall, scenario: String, priority: Int) {
        self.call = call
        status = RunStatus(id: id, scenario: scenario, state: "queued", atS: 0, durationS: 0)
        status.priority = priority
    }

    var isQueued: Bool { status.state == "queued" }
    var isRunning: Bool { status.state == "running" }
    var isOver: Bool { !isQueued && !isRunning }
}

/// Which finished runs are kept, and how many go on at once.
struct RunPolicy: Sendable {
    /// As many as there are processors: more would only share them.
    var runningMax: Int
    var queuedMax = 4096
    /// Finished ones; the oldest goes first.
    var keptMax = 128
    var keptFor = Duration.seconds(24 * 3600)
    /// Of all results together.
    var keptBytesMax = 256 << 20
}

/// Runs by id: those that wait, by priority and age; those that go on; and the newest finished ones with their results.
struct RunTable {
    private(set) var runs: [SimulationRun] = []
    let policy: RunPolicy
    private var lastID: UInt32 = 0

    init(policy: RunPolicy) { self.policy = policy }

    var runningCount: Int { runs.count { $0.isRunning } }
    var queuedCount: Int { runs.count { $0.isQueued } }

    mutating func add(_ call: PendingCall, scenario: String, priority: Int) -> SimulationRun {
        lastID += 1
        let run = SimulationRun(id: lastID, call: call, scenario: scenario, priority: priority)
        runs.append(run)
        return run
    }

    /// The one that is next, if there is room for it: of the highest priority the oldest.
    var next: SimulationRun? {
        guard runningCount < policy.runningMax else { return nil }
        var best: SimulationRun?
        for run in runs where run.isQueued && (run.status.priority ?? 0) > (best?.status.priority ?? .min) {
            best = run
        }
        return best
    }

    /// Forgets what the policy does not keep. - Parameter run: has just ended.
    mutating func keep(_ run: SimulationRun) {
        run.ended = .now
        run.call = nil
        run.byteCount = run.result?.estimatedByteCount ?? 0
        forgetOld()
    }

    mutating func forgetOld() {
        let now = ContinuousClock.now
        var kept = 0
        var bytes = 0
        // From the newest end on: whatever comes after the last one that fits goes.
        let finished = runs.filter(\.isOver).sorted { ($0.ended ?? now) > ($1.ended ?? now) }
        var forgotten: Set<UInt32> = []
        for run in finished {
            kept += 1
            bytes += run.byteCount
            // The newest one is kept however large it is: somebody may be about to ask for it.
            let isKept =
                kept == 1
                || kept <= policy.keptMax && bytes <= policy.keptBytesMax
                    && now - (run.ended ?? now) <= policy.keptFor
            if !isKept { forgotten.insert(run.status.id) }
        }
        guard !forgotten.isEmpty else { return }
        runs.removeAll { forgotten.contains($0.status.id) }
    }

    subscript(id: UInt32) -> SimulationRun? { runs.first { $0.status.id == id } }
}

extension JSONValue {
    /// Of the text, and so about that of the value.
    fileprivate var estimatedByteCount: Int {
        switch self {
        case .string(let text): text.utf8.count + 32
        case .array(let elements): elements.reduce(32) { $0 + $1.estimatedByteCount }
        case .object(let members):
            members.reduce(32) { $0 + $1.name.utf8.count + 16 + $1.value.estimatedByteCount }
        default: 16
        }
    }
}
