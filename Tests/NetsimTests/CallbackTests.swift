import Foundation
import Testing

@testable import Netsim

/// The engine calls ops where, in which order and with which window Linux does.
@Suite("Callbacks against Linux", .serialized) struct CallbackTests {
    struct Trace: CustomTestStringConvertible, Sendable {
        var name: String
        var scenario: String
        /// Part of the kernel's entries that must be found in order. The logs are single runs on a machine whose timers
        /// were up to some milliseconds late; where that first matters, the windows go other ways.
        var share: Double
        var testDescription: String { name }
    }

    static let traces: [Trace] = [
        Trace(name: "cclog-reno-p1", scenario: bulk(duration: "4s", buffer: "25kB"), share: 0.7),
        Trace(
            name: "cclog-reno-outage",
            scenario: bulk(duration: "5s", buffer: "50kB", extra: ", outage: {from: 1.5s, to: 3s}"),
            share: 0.5),
        Trace(
            name: "cclog-reno-applim",
            scenario: bulk(duration: "3s", buffer: "50kB", flow: ", app: {write: 20kB, every: 300ms}"),
            share: 0.95),
        Trace(
            name: "cclog-reno-ecn",
            scenario: bulk(duration: "3s", buffer: "50kB", extra: ", mark: 15kB", flow: ", ecn: true"),
            share: 0.7),
        Trace(
            name: "cclog_rs-fixed100-loss1",
            scenario: "seed: 1007\n"
                + Reference.scenario(
                    rate: "20Mbit", rtt: "40ms", delay: "20ms", buffer: "100kB", cc: "bpf_cclog_rs",
                    duration: "3s",
                    extra: ", loss: 1%"), share: 0.85),
    ]

    static func bulk(duration: String, buffer: String, extra: String = "", flow: String = "") -> String {
        Reference.scenario(
            rate: "10Mbit", rtt: "20ms", delay: "10ms", buffer: buffer, cc: "bpf_cclog", duration: duration,
            extra: extra, flow: flow)
    }

    @Test(arguments: traces) func followsTheKernel(_ trace: Trace) throws {
        let csv = try Fixture.text("linux-tcp/\(trace.name).callbacks.csv")
        let kernel = CallbackLog.read(csv)
        let ours = try CallbackLog.run(trace.scenario)
        let common = CallbackLog.commonLength(kernel, ours)
        let share = Double(common) / Double(kernel.count)
        print("\(trace.name): \(common) of \(kernel.count) entries in order (\(ours.count) here): \(share)")
        if let first = zip(kernel, ours).enumerated().first(where: { $1.0.key != $1.1.key })?.offset {
            print("  first difference at entry \(first):")
            for index in max(0, first - 6)..<min(first + 6, min(kernel.count, ours.count)) {
                print("    Linux \(kernel[index].line)\n    here  \(ours[index].line)")
            }
        }
        if let first = zip(kernel, ours).enumerated().first(where: { $1.0.sndNxt != $1.1.sndNxt })?.offset {
            print("  sequence numbers differ first at entry \(first):")
            for index in max(0, first - 2)..<min(first + 3, min(kernel.count, ours.count)) {
                print("    Linux \(kernel[index].line)\n    here  \(ours[index].line)")
            }
        }
        #expect(share >= trace.share)
    }
}

extension Callback {
    var line: String {
        "\(time) \(name) a \(a) acked \(acked) cwnd \(cwnd)/\(ssthresh) una \(sndUna) nxt \(sndNxt)"
            + " out \(packetsOut) sacked \(sackedOut) lost \(lostOut)"
    }
}

enum Fixture {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }
}
