import Synchronization

/// Puts off freeing until no thread can still be inside what is freed.
///
/// An op call itself does nothing: a thread that calls ops is a *participant* and announces a quiescent state when it is
/// inside none (a world: between events, at call depth 0). What was retired before every participant's latest
/// announcement is freed. A participant that is idle goes offline, so that it keeps nobody waiting.
///
/// Kernel counterpart: the RCU and RCU-tasks grace period in `bpf_struct_ops_map_free`.
public final class QuiescenceDomain: Sendable {
    private struct Retired: Sendable {
        let epoch: UInt64
        let free: @Sendable () -> Void
    }
    private struct State: Sendable {
        var participants: [Participant] = []
        var retired: [Retired] = []
    }

    /// Grows by one with every retirement.
    private let epoch = Atomic<UInt64>(1)
    /// What `announce` looks at first: most of the time there is nothing to free.
    private let retiredCount = Atomic<Int>(0)
    private let state = Mutex(State())

    public init() {}

    /// A thread that calls ops. It begins online, in a quiescent state.
    public final class Participant: Sendable {
        private let domain: QuiescenceDomain
        /// The epoch it has last announced; `offline` while it calls nothing.
        fileprivate let seen: Atomic<UInt64>
        fileprivate static let offline = UInt64.max

        fileprivate init(_ domain: QuiescenceDomain, seen: UInt64) {
            self.domain = domain
            self.seen = Atomic(seen)
        }

        /// Called by its thread at call depth 0: no op is running and no pointer into one is kept.
        /// Costs two loads and a store when nothing waits.
        public func announce() {
            repeat {
                // Sequentially consistent: the loads of later op calls must not move above the store.
                seen.store(domain.epoch.load(ordering: .acquiring), ordering: .sequentiallyConsistent)
                guard domain.retiredCount.load(ordering: .relaxed) > 0 else { return }
                // What was freed may have let go of more, which this thread is not inside of either.
            } while domain.reclaim()
        }

        /// From here on it calls no op until `goOnline`, and nobody waits for it.
        public func goOffline() {
            seen.store(Participant.offline, ordering: .sequentiallyConsistent)
            domain.reclaim()
        }

        public func goOnline() {
            // Under the lock, so that a reclaim that runs now either sees it online or is over before its first op.
            domain.state.withLock { _ in
                seen.store(domain.epoch.load(ordering: .acquiring), ordering: .sequentiallyConsistent)
            }
        }

        /// Ends its membership, for example when its thread ends.
        public func leave() {
            domain.state.withLock { state in state.participants.removeAll { $0 === self } }
            domain.reclaim()
        }
    }

    public func join() -> Participant {
        state.withLock { state in
            let participant = Participant(self, seen: epoch.load(ordering: .acquiring))
            state.participants.append(participant)
            return participant
        }
    }

    /// Runs `free` once every participant that is online now has announced. What it frees must already be out of reach
    /// for new calls. It may run on any thread, also at once on this one; it must not block.
    package func retire(_ free: @escaping @Sendable () -> Void) {
        state.withLock { state in
            let epoch = epoch.add(1, ordering: .sequentiallyConsistent).newValue
            state.retired.append(Retired(epoch: epoch, free: free))
            retiredCount.store(state.retired.count, ordering: .relaxed)
        }
        reclaim()
    }

    /// Retirements that still wait.
    public var pendingCount: Int { state.withLock { $0.retired.count } }

    /// Frees what nobody can be inside of any more. The frees run outside the lock: they may retire more.
    /// - Returns: whether there was anything.
    @discardableResult
    private func reclaim() -> Bool {
        let due: [Retired] = state.withLock { state in
            let oldest = state.participants.map { $0.seen.load(ordering: .sequentiallyConsistent) }.min()
            let limit = oldest ?? Participant.offline
            let due = state.retired.filter { $0.epoch <= limit }
            guard !due.isEmpty else { return [] }
            state.retired.removeAll { $0.epoch <= limit }
            retiredCount.store(state.retired.count, ordering: .relaxed)
            return due
        }
        for retired in due { retired.free() }
        return !due.isEmpty
    }
}
