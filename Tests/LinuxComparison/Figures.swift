import Netsim

/// The figures of one run, defined as the reference defines them and under its names.
struct Figures {
    var values: [String: Double] = [:]

    /// Runs a scenario and measures it.
    init(_ reference: ReferenceScenario, seed: Int) throws {
        let scenario = try Scenario.parse(reference.text(seed: seed), file: reference.name)
        let world = try World(scenario)
        var flows = (0..<world.flowCount).map { FlowSampler(start: reference.starts[$0]) }
        let step = Int64(reference.step_us ?? 5000) * 1000
        let late = ((reference.starts.max() ?? 0) + 5) * 1e9
        var time: Int64 = 0
        while time < scenario.duration {
            time += step
            world.run(until: time)
            for index in flows.indices {
                flows[index].take(world.snapshot(flow: index), at: Double(time), lateStart: late)
            }
        }
        addLink(world.snapshot(link: 0))
        for index in flows.indices {
            add(flows[index], world.snapshot(flow: index), index, reference, late: late)
        }
        let lates = flows.indices.compactMap { values["flow\($0).goodput_mbit_late"] }
        if lates.count > 1 {
            let sum = lates.reduce(0, +)
            values["jain_late"] = sum * sum / (Double(lates.count) * lates.reduce(0) { $0 + $1 * $1 })
            values["share_flow0_late"] = lates[0] / sum
        }
    }

    private mutating func addLink(_ link: LinkSnapshot) {
        values["link_util"] = link.utilization
        values["qdelay_ms_mean"] = link.delayMeanNanoseconds / 1e6
        values["qdelay_ms_p95"] = link.delayP95Nanoseconds / 1e6
    }

    private mutating func add(
        _ samples: FlowSampler, _ end: FlowSnapshot, _ index: Int, _ reference: ReferenceScenario,
        late: Double
    ) {
        if reference.isTransfers {
            addTransfers(end, reference)
            return
        }
        let name = { (figure: String) in "flow\(index).\(figure)" }
        let duration = reference.dur_s * 1e9
        let start = reference.starts[index] * 1e9
        values[name("goodput_mbit")] = Double(end.bytesAcked) * 8000 / (duration - start)
        values[name("goodput_mbit_late")] =
            Double(end.bytesAcked - samples.bytesAckedAtLateStart) * 8000 / (duration - late)
        values[name("srtt_ms_mean")] = samples.srttSum / samples.count / 1000
        values[name("cwnd_mean")] = samples.cwndSum / samples.count
        values[name("retrans_pkts")] = Double(end.retransmitted)
        values[name("loss_events")] = Double(end.lossEvents)
        values[name("rto_events")] = Double(end.rtoEvents)
        values[name("epoch_s_mean")] = end.lossEpoch.map { Double($0) / 1e9 }
        values[name("ss_exit_s")] = samples.slowStartExit.map { $0.time / 1e9 }
        values[name("ss_exit_cwnd")] = samples.slowStartExit.map { Double($0.cwnd) }
        for (figure, value) in samples.bbr.figures { values[name(figure)] = value }
    }

    /// The reference's sink sees the end of a transfer half an RTT before the sender sees the sink's FIN.
    private mutating func addTransfers(_ end: FlowSnapshot, _ reference: ReferenceScenario) {
        let times = end.completions.map { Double($0) / 1e6 - reference.rtt_ms / 2 }.sorted()
        values["fct_n"] = Double(times.count)
        values["fct_ms_p50"] = Self.percentile(times, 0.5)
        values["fct_ms_p95"] = Self.percentile(times, 0.95)
        values["retrans_pkts"] = Double(end.retransmitted)
        values["loss_events"] = Double(end.lossEvents)
        values["rto_events"] = Double(end.rtoEvents)
    }

    /// Linear between the two nearest ranks.
    static func percentile(_ sorted: [Double], _ share: Double) -> Double? {
        guard let last = sorted.last else { return nil }
        let position = share * Double(sorted.count - 1)
        let index = Int(position)
        guard index + 1 < sorted.count else { return last }
        return sorted[index] + (sorted[index + 1] - sorted[index]) * (position - Double(index))
    }
}

/// Samples of one flow on the reference's grid.
struct FlowSampler {
    /// Nanoseconds.
    let start: Double
    var count = 0.0
    var srttSum = 0.0
    var cwndSum = 0.0
    var bytesAckedAtLateStart: UInt64 = 0
    private var sawLateStart = false
    var slowStartExit: (time: Double, cwnd: UInt32)?
    var bbr = BBRPhases()

    init(start: Double) { self.start = start * 1e9 }

    mutating func take(_ sample: FlowSnapshot, at time: Double, lateStart: Double) {
        guard sample.isOpen else { return }
        count += 1
        srttSum += Double(sample.srttMicroseconds)
        cwndSum += Double(sample.cwndSegments)
        if slowStartExit == nil, sample.ssthreshSegments != nil {
            slowStartExit = (time - start, sample.cwndSegments)
        }
        if !sawLateStart, time >= lateStart {
            sawLateStart = true
            bytesAckedAtLateStart = sample.bytesAcked
        }
        if let info = sample.bbr { bbr.take(info, at: time) }
    }
}

/// How long BBR stayed in which mode, told from its gains as the reference does.
struct BBRPhases {
    enum Mode { case startup, drain, probeBandwidth, probeRTT }
    private var segments: [(start: Double, mode: Mode)] = []
    private var end = 0.0
    private var bandwidths: [Double] = []

    mutating func take(_ info: FlowSnapshot.BBRInfo, at time: Double) {
        end = time
        let mode: Mode
        switch (info.pacingGain, info.cwndGain) {
        case (256, 256): mode = .probeRTT
        case (739, 739): mode = .startup
        case (_, 739): mode = .drain
        default: mode = .probeBandwidth
        }
        if segments.last?.mode != mode { segments.append((time, mode)) }
        // Payload Mbit/s.
        if mode == .probeBandwidth { bandwidths.append(Double(info.bandwidth) * 0x1p-24 * 1448 * 8) }
    }

    var figures: [(String, Double)] {
        func lengths(_ mode: Mode) -> [Double] {
            segments.indices.filter { segments[$0].mode == mode }.map { index in
                (index + 1 < segments.count ? segments[index + 1].start : end) - segments[index].start
            }
        }
        guard !segments.isEmpty else { return [] }
        var all: [(String, Double)] = []
        if let first = lengths(.startup).first { all.append(("bbr_startup_s", first / 1e9)) }
        if let first = lengths(.drain).first { all.append(("bbr_drain_s", first / 1e9)) }
        let probes = lengths(.probeRTT)
        all.append(("bbr_probe_rtt_count", Double(probes.count)))
        if !probes.isEmpty {
            all.append(("bbr_probe_rtt_dur_ms", probes.reduce(0, +) / Double(probes.count) / 1e6))
        }
        if let median = Figures.percentile(bandwidths.sorted(), 0.5) {
            all.append(("bbr_bw_mbit_median", median))
        }
        return all
    }
}
