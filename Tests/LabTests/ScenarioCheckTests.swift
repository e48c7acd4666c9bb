import ControlAPI
import Lab
import OpsHost
import Testing

@Suite("Checks of scenarios") struct ScenarioCheckTests {
    private static func verdicts(_ expectations: String...) throws -> [ExpectationVerdict] {
        let host = try RuntimeHost()
        let scenario = try host.scenario(
            """
            name: small & short
            duration: 3s
            links: {b: {rate: 10Mbit, delay: 10ms, buffer: 1bdp}}
            flows:
              - {name: a, count: 2, cc: reno, path: [b], rtt: 20ms}
              - {name: web, cc: cubic, path: [b], rtt: 20ms, app: {transfer: 10kB, count: 3, gap: 100ms}}
            record: off
            expect: [\(expectations.map { "\"\($0)\"" }.joined(separator: ", "))]
            """, file: "s.yaml")
        return try host.check(scenario, file: "s.yaml")
    }

    @Test("figures of links, flows and the whole, in their units")
    func judges() throws {
        let all = try Self.verdicts(
            "links.b.utilization >= 90%", "links.b.utilization > 1", "flows.web.fct.count == 3",
            "flows.web.fct.p95 <= 1us", "flows.*.goodput > 0bit", "jain <= 1", "flows.a.min_rtt >= 20ms")
        #expect(all.map(\.passed) == [true, false, true, false, true, true, true])
        #expect(all[2].value == 3 && all[3].limit == 0.001)
        #expect(all[0].line == 8)
    }

    @Test("of several flows the one furthest off decides")
    func namesTheWorst() throws {
        let all = try Self.verdicts(
            "flows.a.goodput >= 9Mbit", "flows.a.1.goodput >= 9Mbit", "flows.a.2.goodput >= 9Mbit")
        #expect(all.allSatisfy { !$0.passed })
        let worst = try #require([all[1], all[2]].min { ($0.value ?? 0) < ($1.value ?? 0) })
        #expect(all[0].value == worst.value)
        #expect(all[0].flow.map { worst.expectation.contains($0) } == true)
    }

    @Test("relative to what runs in its place: to itself the ratio is 1")
    func isRelative() throws {
        let all = try Self.verdicts(
            "links.b.utilization == 1 relative to cubic", "links.b.qdelay.mean <= 0.1 relative to reno",
            "flows.web.slowdown.mean >= 90% relative to reno")
        #expect(all[0].reference != nil)
        #expect(all[1].value == nil || all[1].passed == false)
        let own = try Self.verdicts("jain == 1 relative to reno")
        #expect(own[0].value != nil)
    }

    @Test("a figure that the result does not have fails")
    func failsWithoutAFigure() throws {
        let verdict = try Self.verdicts("flows.a.fct.p95 <= 1s")[0]
        #expect(!verdict.passed && verdict.value == nil)
        #expect(verdict.explanation == "the result has no such figure")
    }

    @Test("a scenario without expectations is refused")
    func refusesNothing() {
        let refusal = #expect(throws: Refusal.self) { try Self.verdicts() }
        #expect(refusal?.text.contains("nothing to check") == true)
    }

    @Test(
        "what cannot be judged is refused with its place",
        arguments: [
            ("flows.x.goodput >= 1Mbit", "names nothing of this scenario"),
            ("flows.a.3.goodput >= 1Mbit", "names nothing"),
            ("flows.a.speed >= 1Mbit", "no figure 'flows.a.speed'"), ("jain => 1", "no comparison '=>'"),
            ("jain >= high", "'high' is no value"), ("flows.a.goodput >= 0.9", "'0.9' is no value"),
            ("jain", "not accepted"),
            ("jain >= 1 related to reno", "not accepted"),
        ])
    func refuses(expectation: String, says: String) {
        let refusal = #expect(throws: Refusal.self) { try Self.verdicts(expectation) }
        #expect(
            refusal?.text.contains("s.yaml:8") == true && refusal?.text.contains(says) == true,
            "\(refusal?.text ?? "")")
    }

    @Test("JUnit: a case per expectation, escaped, the same bytes each time")
    func writesJUnit() throws {
        let verdicts = try Self.verdicts("jain <= 1", "links.b.utilization > 1")
        let xml = JUnitReport.xml(verdicts)
        #expect(xml.contains("<testsuites tests=\"2\" failures=\"1\">"))
        #expect(xml.contains("<testsuite name=\"small &amp; short\" tests=\"2\" failures=\"1\">"))
        #expect(xml.contains("name=\"jain &lt;= 1\" file=\"s.yaml\" line=\"8\"/>"))
        #expect(xml.contains("<failure message=\"it is "))
        #expect(try JUnitReport.xml(Self.verdicts("jain <= 1", "links.b.utilization > 1")) == xml)
    }
}
