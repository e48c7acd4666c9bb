import Foundation
import LinuxComparison
import Testing

/// Figures of whole runs and logs of callbacks against those of the kernel, as Scripts/compare-linux prints them.
@Suite("Against Linux") struct LinuxComparisonTests {
    static let data = Result { try ReferenceData(folder: Fixture.root.appending(path: "linux-tcp")) }

    /// What is reached: docs/linux-fidelity.md gives the reason of each figure outside.
    @Test("nine of ten figures lie within the kernel's spread, and all but one of fifty within twice that")
    func figuresMatch() throws {
        let data = try Self.data.get()
        var all: [FigureComparison] = []
        for scenario in data.scenarios where !scenario.isCallbackLog {
            all += try FigureComparison.run(scenario, data, repeats: 1...3)
        }
        #expect(all.count > 200)
        let outside = all.filter { $0.verdict == .outside }.map(\.line).joined(separator: "\n")
        let within = all.count { $0.verdict == .within }
        let near = all.count { $0.verdict != .outside }
        #expect(within * 100 >= all.count * 92, "\(within) of \(all.count)")
        #expect(near * 100 >= all.count * 98, "\(outside)")
    }

    /// Share of the kernel's entries that must be found in order.
    @Test(
        "ops are called where, in which order and with which window Linux calls them",
        arguments: [
            ("cclog-reno-p1", 0.98), ("cclog-reno-outage", 0.99), ("cclog-reno-applim", 0.99),
            ("cclog-reno-ecn", 0.95), ("cclog_rs-fixed100-loss1", 0.99),
        ])
    func callbacksMatch(_ name: String, _ share: Double) throws {
        let data = try Self.data.get()
        let scenario = try #require(data.scenarios.first { $0.name == name })
        let log = try #require(try LogComparison.run(scenario, data))
        #expect(log.share >= share, "\(log.share)\n\(log.firstDifference().joined(separator: "\n"))")
    }
}

enum Fixture {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures")
}
