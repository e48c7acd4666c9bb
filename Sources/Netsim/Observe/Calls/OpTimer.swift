internal import CShim
internal import Glibc
internal import KernelABI

/// Counts and times the ops of one world, and hands over what it has now and then.
final class OpTimer: OpObserver {
    private let statistics: OpStatistics
    /// Calls between two times that the counts are handed over.
    private static let callsPerBatch: UInt64 = 16_384

    /// Ours alone. Behind a pointer: the runtime guards each access to a property of a class, which took longer than the
    /// counting.
    private let counters: UnsafeMutablePointer<Counters>

    init(_ statistics: OpStatistics, mode: OpStatistics.Mode) {
        self.statistics = statistics
        counters = .allocate(capacity: 1)
        counters.initialize(to: Counters(every: mode == .on ? 1 : OpStatistics.sampleEvery))
    }

    deinit {
        counters.deinitialize(count: 1)
        counters.deallocate()
    }

    func willCall(_ call: OpCall) { counters.pointee.begin(call) }

    func didCall(_ call: OpCall, result: UInt32?) {
        counters.pointee.end()
        if counters.pointee.calls >= Self.callsPerBatch, counters.pointee.underWay.isEmpty { flush() }
    }

    /// What has been counted since the last time.
    func flush() { statistics.add(counters.pointee.take()) }

    private struct Slot {
        /// Of the world's `OpWatch`, and so there as long as we are used.
        let ops: UnsafePointer<tcp_congestion_ops>
        let op: StaticString
        var counts = OpStatistics.Counts()
    }

    private struct Call {
        let slot: Int
        /// Stands as long as the world. nil: the op is built in.
        let program: UnsafeMutablePointer<ProgramAccount>?
        /// 0: it is not timed.
        let started: UInt64
    }

    private struct Counters {
        /// One call in so many is timed.
        let every: UInt64
        /// Few: found by looking at each.
        var slots: [Slot] = []
        /// One in another.
        var underWay: [Call] = []
        /// Since they were handed over.
        var calls: UInt64 = 0

        mutating func begin(_ call: OpCall) {
            guard let ops = call.socket.pointee.inet_conn.icsk_ca_ops else {
                preconditionFailure("an op of no congestion control")
            }
            let slot = slot(ops, call.op)
            calls &+= 1
            slots[slot].counts.calls += 1
            let isTimed = slots[slot].counts.calls % every == 0
            // Here, since the op may set another one by TCP_CONGESTION.
            let flow = call.flow
            let program =
                call.side == .sender ? flow.pointee.senderOps.program : flow.pointee.receiverOps.program
            underWay.append(Call(slot: slot, program: program, started: isTimed ? OpTimer.now : 0))
        }

        mutating func end() {
            guard let ended = underWay.popLast() else { return }
            if ended.started != 0 {
                slots[ended.slot].counts.add(nanoseconds: OpTimer.now &- ended.started)
            }
            if let block = ended.program?.pointee.block {
                slots[ended.slot].counts.fuel &+= block.pointee.fuel_per_call &- block.pointee.fuel
            }
        }

        private mutating func slot(_ ops: UnsafePointer<tcp_congestion_ops>, _ op: StaticString) -> Int {
            for index in slots.indices
            where slots[index].ops == ops && slots[index].op.utf8Start == op.utf8Start {
                return index
            }
            slots.append(Slot(ops: ops, op: op))
            return slots.count - 1
        }

        mutating func take() -> [OpStatistics.Key: OpStatistics.Counts] {
            calls = 0
            var counts: [OpStatistics.Key: OpStatistics.Counts] = [:]
            for index in slots.indices {
                let slot = slots[index]
                let name = withUnsafeBytes(of: slot.ops.pointee.name) { name in
                    String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
                }
                // One name may have stood for several structs, in a live world.
                counts[OpStatistics.Key(control: name, op: "\(slot.op)"), default: .init()].add(slot.counts)
                slots[index].counts = OpStatistics.Counts()
            }
            return counts
        }
    }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
