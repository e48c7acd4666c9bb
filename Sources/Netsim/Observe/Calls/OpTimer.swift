internal import CShim
internal import Glibc
internal import KernelABI

/// Counts and times the ops of one world, and hands over what it has now and then.
final class OpTimer: OpObserver {
    private let statistics: OpStatistics
    /// One call in so many is timed.
    private let every: UInt64
    /// Calls between two times that the counts are handed over.
    private static let callsPerBatch: UInt64 = 16_384

    private struct Slot {
        /// Of the world's `OpWatch`, and so there as long as we are used.
        let ops: UnsafePointer<tcp_congestion_ops>
        let op: StaticString
        var counts = OpStatistics.Counts()
    }
    /// Few: found by looking at each.
    private var slots: [Slot] = []
    private var calls: UInt64 = 0
    private struct Call {
        let slot: Int
        /// Stands as long as the world. nil: the op is built in.
        let program: UnsafeMutablePointer<ProgramAccount>?
        /// 0: it is not timed.
        let started: UInt64
    }
    /// The calls under way, one in another.
    private var underWay: [Call] = []

    init(_ statistics: OpStatistics, mode: OpStatistics.Mode) {
        self.statistics = statistics
        every = mode == .on ? 1 : OpStatistics.sampleEvery
    }

    func willCall(_ call: OpCall) {
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
        underWay.append(Call(slot: slot, program: program, started: isTimed ? Self.now : 0))
    }

    func didCall(_ call: OpCall, result: UInt32?) {
        guard let ended = underWay.popLast() else { return }
        if ended.started != 0 { slots[ended.slot].counts.add(nanoseconds: Self.now &- ended.started) }
        if let block = ended.program?.pointee.block {
            slots[ended.slot].counts.fuel &+= block.pointee.fuel_per_call &- block.pointee.fuel
        }
        if calls >= Self.callsPerBatch, underWay.isEmpty { flush() }
    }

    /// What has been counted since the last time.
    func flush() {
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
        statistics.add(counts)
    }

    private func slot(_ ops: UnsafePointer<tcp_congestion_ops>, _ op: StaticString) -> Int {
        for index in slots.indices
        where slots[index].ops == ops && slots[index].op.utf8Start == op.utf8Start {
            return index
        }
        slots.append(Slot(ops: ops, op: op))
        return slots.count - 1
    }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
