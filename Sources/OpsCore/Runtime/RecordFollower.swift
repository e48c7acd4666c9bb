import Dispatch
import Synchronization

/// One record of a ring buffer, as a world's consumer took it; or one line of `bpf_trace_printk`, in UTF-8.
public struct FollowedRecord: Equatable, Sendable {
    /// Simulated time of the op that submitted it, on the programs' clock.
    public var ktimeNanoseconds: UInt64
    public var bytes: [UInt8]
    /// The CPU of the world that printed a line.
    public var cpu: UInt32 = 0
}

/// Listens to the records that programs submit to one map, or to the lines that they print, in all worlds. Ends with
/// `OpsRuntime.unfollow`.
///
/// Never slows a world down: what does not fit in `byteCountMax` is dropped and counted.
public final class RecordFollower: Sendable {
    /// Bytes that wait to be taken; a record counts as at least 64.
    public static let byteCountMax = 4 << 20

    /// No map has this id: what programs print.
    static let traceID: UInt32 = 0

    public let mapID: UInt32
    private struct State {
        var records: [FollowedRecord] = []
        var byteCount = 0
        var dropped: UInt64 = 0
    }
    private let state = Mutex(State())
    private let arrival = DispatchSemaphore(value: 0)

    init(mapID: UInt32) { self.mapID = mapID }

    func append(_ record: FollowedRecord) {
        let isFirst = state.withLock { state in
            let byteCount = max(64, record.bytes.count)
            guard byteCount <= Self.byteCountMax - state.byteCount else {
                state.dropped += 1
                return false
            }
            state.byteCount += byteCount
            state.records.append(record)
            return state.records.count == 1
        }
        if isFirst { wake() }
    }

    /// Waits until something has come since the last `takeAll`, or for `wake`; may also return for nothing.
    public func wait() { arrival.wait() }

    /// Ends a `wait`, now or the next.
    public func wake() { arrival.signal() }

    /// What has come since the last time, and how many records were dropped meanwhile.
    public func takeAll() -> (records: [FollowedRecord], dropped: UInt64) {
        state.withLock { state in
            defer { state = State() }
            return (state.records, state.dropped)
        }
    }
}

/// Who follows which map.
final class RecordHub: Sendable {
    private let followers = Mutex([UInt32: [RecordFollower]]())
    /// So that worlds ask nobody while nobody listens.
    private let count = Atomic<Int>(0)

    func add(_ follower: RecordFollower) {
        followers.withLock { $0[follower.mapID, default: []].append(follower) }
        count.add(1, ordering: .relaxed)
    }

    func remove(_ follower: RecordFollower) {
        let wasThere = followers.withLock { followers in
            guard let index = followers[follower.mapID]?.firstIndex(where: { $0 === follower }) else {
                return false
            }
            followers[follower.mapID]?.remove(at: index)
            if followers[follower.mapID]?.isEmpty == true { followers[follower.mapID] = nil }
            return true
        }
        if wasThere { count.subtract(1, ordering: .relaxed) }
    }

    func publish(_ mapID: UInt32, ktime: UInt64, _ bytes: UnsafeRawBufferPointer) {
        for follower in who(follows: mapID) {
            // SAFETY: the caller lends the bytes of one record for the time of the call.
            follower.append(FollowedRecord(ktimeNanoseconds: ktime, bytes: unsafe [UInt8](bytes)))
        }
    }

    func publish(_ line: TraceRing.Line) {
        for follower in who(follows: RecordFollower.traceID) {
            follower.append(
                FollowedRecord(
                    ktimeNanoseconds: line.ktimeNanoseconds, bytes: Array(line.text.utf8), cpu: line.cpu))
        }
    }

    private func who(follows mapID: UInt32) -> [RecordFollower] {
        guard count.load(ordering: .relaxed) > 0 else { return [] }
        return followers.withLock { $0[mapID] ?? [] }
    }
}

extension OpsRuntime {
    /// Listens to a ring buffer from now on.
    ///
    /// - Throws: ENOENT for an unknown map, EINVAL for one of another type.
    public func follow(map id: UInt32) throws(OpsError) -> RecordFollower {
        try withMap(id) { map throws(OpsError) in
            guard map is RingBufferMap else {
                throw map.error(OpsError.einval, "follow: only a ringbuf has records")
            }
        }
        let follower = RecordFollower(mapID: id)
        core.records.add(follower)
        return follower
    }

    /// Listens to what programs print with `bpf_trace_printk`, from now on.
    public func followTrace() -> RecordFollower {
        let follower = RecordFollower(mapID: RecordFollower.traceID)
        core.records.add(follower)
        return follower
    }

    public func unfollow(_ follower: RecordFollower) { core.records.remove(follower) }
}
