import ControlAPI
import Foundation
import Lab
import Netsim
import OpsHost
import Testing

@Suite("Grades") struct GradeTests {
    private static func scenario(_ more: String, on host: RuntimeHost) throws -> ParsedScenario {
        try host.scenario(
            """
            name: small
            duration: 3s
            links: {b: {rate: 10Mbit, delay: 10ms, buffer: 1bdp}}
            flows:
              - {name: a, cc: $CC, path: [b], rtt: 20ms}
              - {name: other, cc: cubic, path: [b], rtt: 20ms}
            record: off
            \(more)
            """, file: "s.yaml")
    }

    @Test("an installed opsctl carries all of Examples/suites, and each can be graded by")
    func carriesTheSuite() throws {
        let suite = try GradeSuite.examples(on: RuntimeHost())
        let folder = URL(filePath: #filePath).appending(path: "../../../Examples/suites").standardized
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(suite.items.map(\.file).sorted() == files.sorted())
        #expect(suite.items.allSatisfy { !$0.scenario.scenario.expectations.isEmpty })
    }

    @Test("a reference is as good as itself; what breaks is said in the scenario's words")
    func grades() throws {
        let host = try RuntimeHost()
        let fine = try Self.scenario("grade: {figure: links.b.utilization, better: higher}", on: host)
        let broken = try Self.scenario(
            """
            grade: {figure: flows.a.goodput, better: higher}
            expect: [flows.other.goodput > 10Mbit: it takes a share, jain <= 1]
            """, on: host)
        let suite = GradeSuite([
            try .init(file: "fine.yaml", scenario: fine), try .init(file: "broken.yaml", scenario: broken),
        ])
        let grade = host.grade("cubic", by: suite)
        #expect(grade.lines.map(\.mark) == [.a, .failed])
        #expect(grade.lines[0].value != nil && grade.lines[0].value == grade.lines[0].references[1])
        #expect(grade.lines[1].complaints.count == 1)
        #expect(
            grade.lines[1].complaints[0].hasPrefix(
                "it takes a share: flows.other.goodput > 10Mbit, but it is "))
        #expect(grade.score == grade.lines[0].score / 2)
        #expect(host.grade("cubic", by: suite).json == grade.json)
    }

    @Test("a run that fails is a failed line, not the end")
    func survivesAFailingRun() throws {
        let host = try RuntimeHost()
        let scenario = try Self.scenario("grade: {figure: jain, better: higher}", on: host)
        let grade = host.grade("nobody", by: GradeSuite([try .init(file: "s.yaml", scenario: scenario)]))
        #expect(grade.lines[0].mark == .failed)
        #expect(grade.lines[0].complaints == ["the run failed: there is no congestion control 'nobody'"])
    }

    @Test("$CC is what is tried; without one the scenario says so")
    func fillsIn() throws {
        let host = try RuntimeHost()
        let open = try Self.scenario("expect: [jain == 1 relative to reno]", on: host)
        #expect(open.trying("bbr").scenario.flows.map(\.cc) == ["bbr", "cubic"])
        #expect(open.scenario.relative(to: "reno").flows.map(\.cc) == ["reno", "cubic"])
        let same = try host.check(open, file: "s.yaml", cc: "reno")
        #expect(same[0].passed)
        let refusal = #expect(throws: Refusal.self) { try host.simulate(open) { _ in true } }
        #expect(refusal?.text.contains("leaves open") == true)
    }

    @Test(
        "what cannot be graded by is refused",
        arguments: [
            ("grade: {figure: flows.x.goodput, better: higher}", "names nothing"),
            ("grade: {figure: flows.a.speed, better: higher}", "no figure"),
            ("grade: {figure: jain, better: bigger}", "not accepted"),
            ("grade: {figure: jain}", "not accepted"),
        ])
    func refuses(line: String, says: String) throws {
        let host = try RuntimeHost()
        let refusal = #expect(throws: Refusal.self) { try Self.scenario(line, on: host) }
        #expect(refusal?.text.contains(says) == true, "\(refusal?.text ?? "")")
        let plain = try Self.scenario("", on: host)
        #expect(throws: Refusal.self) { try GradeSuite.Item(file: "s.yaml", scenario: plain) }
    }
}
