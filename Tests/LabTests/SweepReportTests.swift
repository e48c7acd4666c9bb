import ControlAPI
import Lab
import Testing

@Suite("Heat maps of sweeps") struct SweepReportTests {
    /// Runs the small sweep and shows it.
    private static func page(axes: [String] = [], figures: [String] = []) throws -> String {
        let place = try SweepTests.Place()
        let (inputs, sweep) = try SweepTests.read(SweepTests.small)
        let database = try SweepDatabase.open(place.path("s.db"), for: sweep, inputs)
        _ = try SweepRunner(sweep, inputs, database: database).run(workers: 2) { _ in true }
        return try SweepReport(database, axes: axes, figures: figures).html
    }

    @Test("a map for each figure and algorithm, a number in each cell, no script; the same bytes each time")
    func maps() throws {
        let page = try Self.page(figures: ["links.b.utilization"])
        #expect(!page.contains("<script") && page.contains("script-src &#39;none&#39;"))
        let cells = page.matches(of: /<td class="h[0-8]" title="0\.[0-9]+ ± [^"]*, 2 runs">0\.[0-9]+<\/td>/)
        #expect(cells.count == 8)
        #expect(page.matches(of: /<caption>(cubic|reno)<\/caption>/).count == 2)
        #expect(page.contains("links.b.rate") && page.contains("<th scope=\"col\">5Mbit</th>"))
        let isSame = try Self.page(figures: ["links.b.utilization"]) == page
        #expect(isSame)
    }

    @Test("axes are chosen by name; what the sweep has not is refused with what it has")
    func chooses() throws {
        let page = try Self.page(axes: ["flows.a.rtt"], figures: ["flows.a.goodput"])
        #expect(page.contains("<th scope=\"col\">4ms</th>") && page.contains("<th scope=\"row\">5Mbit</th>"))
        let refusal = #expect(throws: Refusal.self) { try Self.page(axes: ["links.b.buffer"]) }
        #expect(refusal?.reason == "it has links.b.rate, flows.a.rtt")
    }
}
