import ControlAPI
import Lab
import Testing

@Suite("Charts at the terminal") struct SparklineTests {
    @Test("a row for each flow, as wide as the terminal, empty where there was no connection")
    func draws() throws {
        let result = try JSONValue(parsing: try ReportTests.result(), limits: .reply)
        let lines = Sparklines.text(result, width: 60).split(separator: "\n")
        #expect(lines.count == 8)
        #expect(lines.filter { $0.hasPrefix("a.1") }.allSatisfy { $0.count == 60 })
        // It starts after a quarter of the time.
        let late = try #require(lines.first { $0.hasPrefix("late") })
        #expect(late.dropFirst(6).prefix(12).allSatisfy { $0 == " " } && late.last != " ")
        #expect(
            lines.contains { $0.contains("█") } && lines[0].hasPrefix("window, packets: 0 to 4.0 s, up to "))
    }

    @Test("nothing without series, and nothing where there is no room")
    func leavesOut() throws {
        let result = try JSONValue(parsing: try ReportTests.result(), limits: .reply)
        #expect(Sparklines.text(result.setting("series", to: .null), width: 80).isEmpty)
        #expect(Sparklines.text(result, width: 20).isEmpty)
    }
}
