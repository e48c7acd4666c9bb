internal import KernelABI

/// What TCP_INFO and TCP_CC_INFO would say about a flow's connection, and its totals so far.
package struct FlowSnapshot: Equatable, Sendable {
    package var isOpen = false
    package var cwndSegments: UInt32 = 0
    /// nil: infinite.
    package var ssthreshSegments: UInt32?
    package var srttMicroseconds: UInt32 = 0
    package var bytesAcked: UInt64 = 0
    package var retransmitted: UInt64 = 0
    /// Entries into Recovery, Loss and CWR.
    package var lossEvents: UInt64 = 0
    package var rtoEvents: UInt64 = 0
    package var cwrEvents: UInt64 = 0
    /// Nanoseconds between loss entries, without the first; nil with fewer than three.
    package var lossEpoch: Int64?
    /// Nanoseconds, one per transfer done.
    package var completions: [Int64] = []
    /// BBR's gains × 256 and bandwidth in segments per microsecond × 2^24; nil for others.
    package var bbr: BBRInfo?

    package struct BBRInfo: Equatable, Sendable {
        package var pacingGain: UInt16
        package var cwndGain: UInt16
        package var bandwidth: UInt32
    }
}

/// Totals of one link so far.
package struct LinkSnapshot: Equatable, Sendable {
    /// Of the capacity, 0 … 1.
    package var utilization: Double
    package var drops: UInt64
    package var marks: UInt64
    /// Of accepted packets, without their own service.
    package var delayMeanNanoseconds: Double
    package var delayP95Nanoseconds: Double
}

extension World {
    package var flowCount: Int { flowNames.count }
    /// Data packets delivered so far.
    package var packetCount: UInt64 { engine.pointee.packetCount }

    package func snapshot(flow index: Int) -> FlowSnapshot {
        let flow = engine.pointee.flows + index
        let tp = flow.tp
        let statistics = flow.pointee.statistics
        var all = FlowSnapshot()
        all.isOpen = flow.isOpen
        all.bytesAcked = statistics.bytesAcked(flow)
        all.retransmitted = statistics.retransmissions(flow)
        all.lossEvents = statistics.lossEvents
        all.rtoEvents = statistics.rtoEvents
        all.cwrEvents = statistics.cwrEvents
        all.lossEpoch = statistics.lossEpoch
        all.completions = statistics.completions
        guard flow.isOpen else { return all }
        all.cwndSegments = tp.cwnd
        all.ssthreshSegments = tp.ssthresh >= Kernel.infiniteSsthresh ? nil : tp.ssthresh
        all.srttMicroseconds = tp.pointee.srtt_us >> 3
        if flow.pointee.senderOps.ops == controls.find("bbr")?.attachment.ops {
            let state = BBR.of(tp).pointee
            all.bbr = FlowSnapshot.BBRInfo(
                pacingGain: state.pacingGain, cwndGain: state.cwndGain, bandwidth: state.currentBandwidth)
        }
        return all
    }

    package func snapshot(link index: Int) -> LinkSnapshot {
        let link = engine.pointee.links + index
        let served = link.pointee.servedBytes(at: now) * 8
        let capacity = link.pointee.rate.pointee.capacity(from: 0, to: now)
        let statistics = link.pointee.statistics
        return LinkSnapshot(
            utilization: capacity > 0 ? min(served / capacity, 1) : 0,
            drops: statistics.dropped &+ statistics.lost, marks: statistics.marked,
            delayMeanNanoseconds: statistics.delayMean, delayP95Nanoseconds: statistics.delayQuantile(0.95))
    }
}
