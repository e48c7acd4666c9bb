import Netsim

/// Runs that every build must repeat: debug or release, today or tomorrow. `Tests/Fixtures/builds.txt` holds what came out.
///
/// A run ends in one line of numbers. A difference anywhere, in a sum of floats or in the order of two events, moves events
/// and with them these numbers.
package enum BuildComparison {
    /// What is under test, by name.
    private static let scenarios: [(name: String, text: String)] = [
        ("reno", path("reno")), ("cubic", path("cubic")), ("bbr", path("bbr")),
        ("dctcp", path("dctcp", link: "mark: 20p", flow: "ecn: true")),
        ("shallow", path("cubic", buffer: "15p")), ("deep", path("reno", buffer: "4bdp")),
        ("cubic loss", path("cubic", link: "loss: 1%")), ("bbr loss", path("bbr", link: "loss: 2%")),
        ("cubic ecn", path("cubic", link: "mark: 30p", flow: "ecn: true")),
        ("outage", path("cubic", link: "outage: {from: 1s, to: 2200ms}")),
        ("transfers", path("bbr", flow: "app: {transfer: 200kB, count: 6, gap: 50ms}")),
        ("writes", path("cubic", flow: "app: {write: 30kB, every: 70ms}")),
        ("other host", path("cubic", host: "{hz: 1000, tso: false, timestamps: false, gro: true}")),
        (
            "many",
            """
            duration: 3s
            seed: 7
            links:
              one: {rate: 40Mbit, delay: 5ms, buffer: 80p, loss: 0.2%}
              two: {rate: [{at: 0s, rate: 30Mbit}, {at: 1s, rate: 15Mbit}], delay: 5ms, buffer: 1bdp}
            flows:
              - {name: a, count: 5, cc: cubic, path: [one, two], rtt: 30ms}
              - {name: b, count: 3, cc: bbr, path: [two], rtt: 80ms, start: 200ms}
              - {name: c, count: 4, cc: reno, path: [one], rtt: 15ms, app: {transfer: 50kB, count: 10, gap: 10ms}}
            """
        ),
    ]

    private static func path(
        _ cc: String, buffer: String = "1bdp", link: String = "", flow: String = "", host: String = "{}"
    ) -> String {
        """
        duration: 4s
        seed: 1007
        host: \(host)
        links: {l: {rate: 30Mbit, delay: 15ms, buffer: \(buffer)\(link.isEmpty ? "" : ", " + link)}}
        flows: [{name: a, cc: \(cc), path: [l], rtt: 30ms\(flow.isEmpty ? "" : ", " + flow)}]
        """
    }

    /// A line per scenario: its name, then totals of the link and of each flow.
    package static func lines() throws -> [String] {
        try scenarios.map { scenario in
            let parsed = try Scenario.parse(scenario.text, file: scenario.name)
            let world = try World(parsed)
            // Flows are still open then.
            world.run(until: parsed.duration - 1)
            let link = world.snapshot(link: 0)
            var words = [
                "\(scenario.name):", "\(link.drops)", "\(link.marks)", "\(link.delayMeanNanoseconds)",
            ]
            for index in 0..<world.flowCount {
                let flow = world.snapshot(flow: index)
                words.append(
                    "\(flow.bytesAcked)/\(flow.retransmitted)/\(flow.cwndSegments)/\(flow.srttMicroseconds)"
                        + "/\(flow.completions.last ?? 0)")
            }
            return words.joined(separator: " ")
        }
    }
}
