import Foundation
import Testing

@testable import Netsim

/// Figures of whole runs against those of the kernel: the mean of three repeats, within the larger of twice their
/// spread, a share of the mean, and half a count.
@Suite("Figures against Linux") struct ReferenceTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var scenario: String
        /// Tolerance as a share of the kernel's mean.
        var share = 0.1
        var testDescription: String { name }
    }

    static func single(
        _ name: String, rate: String, rtt: Int, buffer: String, cc: String, extra: String = "",
        flow: String = "",
        duration: String = "30s", head: String = ""
    ) -> Case {
        Case(
            name: name,
            scenario: head
                + Reference.scenario(
                    rate: rate, rtt: "\(rtt)ms", delay: "\(rtt / 2)ms", buffer: buffer, cc: cc,
                    duration: duration,
                    extra: extra, flow: flow))
    }

    static let cases: [Case] = [
        single("single-cubic-p1", rate: "10Mbit", rtt: 20, buffer: "25kB", cc: "cubic"),
        single("single-cubic-p2", rate: "50Mbit", rtt: 40, buffer: "250kB", cc: "cubic"),
        single("single-cubic-p3", rate: "50Mbit", rtt: 40, buffer: "62.5kB", cc: "cubic"),
        single("single-reno-p2", rate: "50Mbit", rtt: 40, buffer: "250kB", cc: "reno"),
        single("single-reno-p3", rate: "50Mbit", rtt: 40, buffer: "62.5kB", cc: "reno"),
        single("single-reno-p4", rate: "20Mbit", rtt: 100, buffer: "500kB", cc: "reno"),
        single(
            "loss1-cubic", rate: "20Mbit", rtt: 40, buffer: "100kB", cc: "cubic", extra: ", loss: 1%",
            head: "seed: 2007\n"),
        single(
            "applim-cubic", rate: "50Mbit", rtt: 40, buffer: "250kB", cc: "cubic",
            flow: ", app: {write: 100kB, every: 100ms}", duration: "15s"),
        single(
            "step-cubic", rate: "[{at: 0s, rate: 40Mbit}, {at: 10s, rate: 20Mbit}, {at: 20s, rate: 40Mbit}]",
            rtt: 40,
            buffer: "200kB", cc: "cubic"),
        single(
            "ecn-cubic-1", rate: "50Mbit", rtt: 20, buffer: "250kB", cc: "cubic", extra: ", mark: 60kB",
            flow: ", ecn: true"),
        single(
            "outage-cubic", rate: "20Mbit", rtt: 40, buffer: "100kB", cc: "cubic",
            extra: ", outage: {from: 8s, to: 10.5s}", duration: "20s"),
    ]

    @Test(arguments: cases) func matches(_ sample: Case) throws {
        let kernel = try Self.kernelFigures(of: sample.name)
        let world = try Run.world(sample.scenario)
        Run.toEnd(world)
        for (name, value) in Self.figures(of: world) {
            guard let (mean, sd) = kernel[name] else { continue }
            let half = Self.counts.contains(name) ? 0.5 : 0
            let isNear = abs(value - mean) <= max(2 * sd, sample.share * abs(mean), half)
            let strict = max(2 * sd, 0.05 * abs(mean), half)
            let mark = abs(value - mean) <= strict ? "=" : abs(value - mean) <= 2 * strict ? "~" : "!"
            print("\(sample.name) \(mark) \(name): Linux \(mean) ± \(sd), here \(value)")
            #expect(isNear, "\(name): Linux \(mean) ± \(sd), here \(value)")
        }
    }

    static let counts: Set<String> = [
        "retrans_pkts", "loss_events", "rto_events", "ss_exit_cwnd", "cwnd_mean",
    ]

    static func figures(of world: World) -> [(String, Double)] {
        let flow = world.engine.pointee.flows
        let statistics = flow.pointee.statistics
        let link = world.engine.pointee.links
        let seconds = Double(world.now) / 1e9
        let samples = Double(statistics.samples)
        let served = link.pointee.servedBytes(at: world.now)
        var all = [
            ("goodput_mbit", Double(statistics.bytesAcked(flow)) * 8 / seconds / 1e6),
            ("link_util", served * 8 / link.pointee.rate.pointee.capacity(from: 0, to: world.now)),
            ("qdelay_ms_mean", link.pointee.statistics.delayMean / 1e6),
            ("qdelay_ms_p95", link.pointee.statistics.delayQuantile(0.95) / 1e6),
            ("srtt_ms_mean", statistics.srttSum / samples / 1000),
            ("cwnd_mean", statistics.cwndSum / samples),
            ("retrans_pkts", Double(statistics.retransmissions(flow))),
            ("loss_events", Double(statistics.lossEvents)), ("rto_events", Double(statistics.rtoEvents)),
        ]
        if let exit = statistics.slowStartExit {
            all.append(("ss_exit_s", Double(exit.time) / 1e9))
            all.append(("ss_exit_cwnd", Double(exit.cwnd)))
        }
        return all
    }

    /// Mean and standard deviation by figure; those of the flow without their prefix.
    static func kernelFigures(of scenario: String) throws -> [String: (Double, Double)] {
        var figures: [String: (Double, Double)] = [:]
        for line in try Fixture.text("linux-tcp/summary.csv").split(separator: "\n").dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count >= 5, fields[0] == scenario, let mean = Double(fields[3]) else { continue }
            let name = fields[1].hasPrefix("flow0.") ? fields[1].dropFirst(6) : fields[1]
            figures[String(name)] = (mean, Double(fields[4]) ?? 0)
        }
        return figures
    }
}
