internal import Synchronization

/// How often ops of congestion controls are called and how long they take, over all worlds of a runtime.
///
/// A world that starts while this is off has nothing standing between it and its ops, so it pays nothing.
package final class OpStatistics: Sendable {
    package enum Mode: String, CaseIterable, Sendable {
        case off
        /// Every call is counted, one in `sampleEvery` is timed.
        case sampled
        /// Every call is counted and timed.
        case on
    }
    package static let sampleEvery: UInt64 = 64
    /// Names come from users: those beyond so many keys are counted together, as of `others`.
    package static let keysMax = 512
    package static let others = "(others)"

    package struct Key: Hashable, Sendable {
        /// The ops name, as of the struct's `name` member.
        package var control: String
        /// The member.
        package var op: String

        package init(control: String, op: String) {
            self.control = control
            self.op = op
        }
    }

    package struct Counts: Equatable, Sendable {
        package static let bucketCount = 24

        package var calls: UInt64 = 0
        /// Turns of fuelled loops.
        package var fuel: UInt64 = 0
        /// Calls that were timed, and how long they took together. The time includes that of reading the clock.
        package var timed: UInt64 = 0
        package var nanoseconds: UInt64 = 0
        /// Timed calls by duration: the i-th took less than 2^i ns and no less than half of that; the last, all beyond.
        package var buckets = [UInt64](repeating: 0, count: bucketCount)

        mutating func add(nanoseconds duration: UInt64) {
            timed += 1
            nanoseconds += duration
            let bits = UInt64.bitWidth - duration.leadingZeroBitCount
            buckets[min(bits, Self.bucketCount - 1)] += 1
        }

        mutating func add(_ other: Counts) {
            calls += other.calls
            fuel &+= other.fuel
            timed += other.timed
            nanoseconds += other.nanoseconds
            for index in buckets.indices { buckets[index] += other.buckets[index] }
        }
    }

    private let state = Mutex((mode: Mode.off, counts: [Key: Counts]()))

    package init() {}

    /// For worlds that start from now on.
    package var mode: Mode {
        get { state.withLock { $0.mode } }
        set { state.withLock { $0.mode = newValue } }
    }

    /// Since the runtime started. Of a world that goes on, what it had counted a moment ago.
    package var counts: [Key: Counts] { state.withLock { $0.counts } }

    func add(_ counts: [Key: Counts]) {
        state.withLock { state in
            for (key, one) in counts {
                let isKnown = state.counts[key] != nil || state.counts.count < Self.keysMax
                let key = isKnown ? key : Key(control: Self.others, op: key.op)
                state.counts[key, default: Counts()].add(one)
            }
        }
    }
}
