import ControlAPI
import Lab
import OpsHost
import Testing

@Suite("CSV series") struct SeriesCSVTests {
    static func result(record: String) throws -> JSONValue {
        let host = try RuntimeHost()
        let text = """
            duration: 1s
            links: {l: {rate: 10Mbit, delay: 5ms, buffer: 20p}}
            flows: [{name: a, count: 2, cc: cubic, path: [l], rtt: 20ms}]
            record: \(record)
            """
        return try host.simulate(try host.scenario(text, file: "csv.yaml")) { _ in true }
    }

    @Test("one row per time and flow or link, with the figures of the result")
    func tables() throws {
        let result = try Self.result(record: "{interval: 250ms}")
        let tables = try SeriesCSV.tables(of: result)
        let flows = tables.flows.split(separator: "\n").map(String.init)
        #expect(
            flows[0] == "t_s,flow,cwnd,ssthresh,srtt_ms,bytes_acked,retransmitted,inflight,ca_state")
        #expect(flows.count == 1 + 2 * 4)
        let row = flows[2].split(separator: ",", omittingEmptySubsequences: false)
        let series = result["series"]?["flows"]?.array?[1]
        #expect(row[0] == "0.25" && row[1] == "a.2")
        #expect(Int64(row[2]) == series?["cwnd"]?.array?[0].integer)
        #expect(row[5] == series?["bytes_acked"]?.array?[0].integer.map(String.init) ?? "")
        #expect(tables.links.hasPrefix("t_s,link,queue_bytes,drops\n0.25,l,"))
    }

    @Test("an infinite ssthresh is an empty cell")
    func infinite() throws {
        let tables = try SeriesCSV.tables(
            of: [
                "series": [
                    "t_s": [0.5], "links": [],
                    "flows": [
                        [
                            "name": "a", "cwnd": [10], "ssthresh": [-1], "srtt_ms": [20.25],
                            "bytes_acked": [1],
                            "retransmitted": [0], "inflight": [2], "ca_state": [0],
                        ]
                    ],
                ]
            ])
        #expect(tables.flows.hasSuffix("\n0.5,a,10,,20.25,1,0,2,0\n"))
    }

    @Test("equal input gives equal bytes")
    func isDeterministic() throws {
        let (one, two) = (
            try Self.result(record: "{interval: 50ms}"), try Self.result(record: "{interval: 50ms}")
        )
        #expect(try SeriesCSV.tables(of: one) == SeriesCSV.tables(of: two))
    }

    @Test("a result without a series is refused")
    func refuses() throws {
        let result = try Self.result(record: "off")
        #expect(throws: Refusal.self) { try SeriesCSV.tables(of: result) }
    }
}
