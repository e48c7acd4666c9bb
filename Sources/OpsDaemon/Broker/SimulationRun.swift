import ControlAPI
import NIOCore

/// One run of a scenario, a job: known by its id until it is forgotten, whoever asked for it.
final class SimulationRun: @unchecked Sendable {  // Confined to the broker's loop.
    var status: RunStatus
    let uid: UInt32
    /// The call to run it, which is answered with the result if it is not detached; nil once it is over.
    fileprivate(set) var call: PendingCall?
    /// nil: there is none, or it is kept on disk alone.
    var result: JSONValue?
    var failure: Refusal?
    /// It is the daemon's, and not a connection's.
    var isJob = false
    /// A job that is not on disk yet: it is not begun, and nobody knows its id.
    var isHeld = false
    /// Whoever asks how a job has ended is told once this is over; nil: it is.
    var storing: EventLoopFuture<Void>?
    /// Registrations whose programs it runs.
    var uses: [UInt32] = []
    var isCancelled = false
    /// Ends it when it has taken too long.
    var alarm: Scheduled<Void>?
    var wallTimeSeconds = 0
    var isTooLate = false
    /// Calls that watch it.
    var watchers: [PendingCall] = []
    /// Seconds since 1970; nil: it is not over.
    fileprivate(set) var endedAt: Int64?
    /// About what its result takes; while it is not over, its parameters.
    fileprivate(set) var byteCount = 0

    /// Of the scenarios of one uid's jobs that are not over: they are kept whoever is still connected.
    static let jobBytesMax = 64 << 20

    init(id: UInt32, call: PendingCall, scenario: String, priority: Int) {
        self.call = call
        uid = call.peer.uid
        byteCount = call.call.parameters.estimatedByteCount
        status = RunStatus(id: id, scenario: scenario, state: "queued", atS: 0, durationS: 0)
        status.priority = priority
    }

    /// One that an earlier daemon has finished.
    init(kept header: RunHeader, byteCount: Int) {
        status = header.status
        uid = header.uid
        failure = header.failure
        endedAt = header.endedAt
        self.byteCount = byteCount
    }

    var isQueued: Bool { status.state == "queued" }
    var isRunning: Bool { status.state == "running" }
    var isOver: Bool { !isQueued && !isRunning }
}

/// Runs by id: those that wait, by priority and age; those that go on; and the newest finished ones with their results.
struct RunTable {
    private(set) var runs: [SimulationRun] = []
    var policy: Configuration.Jobs
    var lastID: UInt32 = 0

    init(policy: Configuration.Jobs) { self.policy = policy }

    var runningCount: Int { runs.count { $0.isRunning } }
    var queuedCount: Int { runs.count { $0.isQueued } }

    /// One more may wait, or go on at once.
    var hasRoom: Bool {
        queuedCount < policy.queue || queuedCount == 0 && runningCount < policy.workers
    }

    mutating func nextID() -> UInt32 {
        lastID += 1
        return lastID
    }

    mutating func add(_ run: SimulationRun) { runs.append(run) }

    mutating func drop(_ run: SimulationRun) { runs.removeAll { $0 === run } }

    /// Of the parameters of jobs that are not over.
    func jobByteCount(of uid: UInt32) -> Int {
        runs.reduce(0) { $0 + ($1.isJob && $1.uid == uid && !$1.isOver ? $1.byteCount : 0) }
    }

    /// The one that is next, if there is room for it: of the highest priority the oldest.
    var next: SimulationRun? {
        guard runningCount < policy.workers else { return nil }
        var best: SimulationRun?
        for run in runs
        where run.isQueued && !run.isHeld && (run.status.priority ?? 0) > (best?.status.priority ?? .min) {
            best = run
        }
        return best
    }

    /// - Parameters:
    ///   - run: has just ended.
    ///   - now: seconds since 1970.
    mutating func end(_ run: SimulationRun, at now: Int64) {
        run.endedAt = now
        run.call = nil
        run.byteCount = run.result?.estimatedByteCount ?? 0
    }

    /// Forgets what the policy does not keep. - Returns: the ids.
    mutating func forgetOld(at now: Int64) -> [UInt32] {
        let finished = runs.filter(\.isOver).sorted {
            ($0.endedAt ?? now, $0.status.id) < ($1.endedAt ?? now, $1.status.id)
        }
        // The newest one is kept however large it is: somebody may be about to ask for it.
        guard let newest = finished.last else { return [] }
        var kept = finished.filter { $0 === newest || now - ($0.endedAt ?? now) <= Int64(policy.keepSeconds) }
        Self.shrink(&kept, to: policy.keep) { _ in 1 }
        Self.shrink(&kept, to: policy.keepBytes, by: \.byteCount)
        let forgotten = Set(finished.map(\.status.id)).subtracting(kept.map(\.status.id))
        guard !forgotten.isEmpty else { return [] }
        runs.removeAll { forgotten.contains($0.status.id) }
        return forgotten.sorted()
    }

    /// Takes away, until the others fit, the oldest run of the uid that has most: many results of one user push out none of
    /// another's few.
    ///
    /// - Parameter kept: the oldest first; the last one stays.
    private static func shrink(
        _ kept: inout [SimulationRun], to limit: Int, by size: (SimulationRun) -> Int
    ) {
        var shares = kept.reduce(into: [UInt32: Int]()) { $0[$1.uid, default: 0] += size($1) }
        var total = shares.values.reduce(0, +)
        while total > limit,
            let index = kept.indices.dropLast().max(by: {
                shares[kept[$0].uid, default: 0] < shares[kept[$1].uid, default: 0]
            })
        {
            let run = kept.remove(at: index)
            shares[run.uid, default: 0] -= size(run)
            total -= size(run)
        }
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
