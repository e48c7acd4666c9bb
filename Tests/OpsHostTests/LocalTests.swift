import ControlAPI
import OpsHost
import Testing

/// What needs no daemon: the host of one runtime, in this process.
@Suite("Local") struct LocalTests {
    private static let scenario = """
        name: short
        duration: 2s
        links: {b: {rate: 10Mbit, delay: 10ms, buffer: 1bdp}}
        flows: [{name: a, cc: reno, path: [b], rtt: 20ms}]
        record: off

        """

    @Test func printsTypesThatDeclareTheOps() throws {
        let host = try RuntimeHost()
        let header = try host.btfAsC()
        #expect(header.contains("struct tcp_congestion_ops {"))
        #expect(try host.btfAsRawText().contains("STRUCT 'tcp_congestion_ops'"))
        #expect(try host.btfAsRawJSON().contains { $0["name"] == "tcp_sock" })
    }

    @Test func givesTheSameResultTwice() throws {
        let host = try RuntimeHost()
        let scenario = try host.scenario(Self.scenario, file: "s.yaml")
        let first = try host.simulate(scenario) { _ in true }
        #expect(try host.simulate(scenario) { _ in true }.utf8() == first.utf8())
        #expect(first["deterministic"] == true)
        #expect(first["engine"]?["cpu_s"] == nil)
        #expect(try host.simulate(scenario, timing: true) { _ in true }["engine"]?["cpu_s"] != nil)
    }

    @Test func endsARunThatIsCancelled() throws {
        let host = try RuntimeHost()
        let scenario = try host.scenario(Self.scenario.replacing("2s", with: "8000s"), file: "s.yaml")
        let refusal = #expect(throws: Refusal.self) { try host.simulate(scenario) { _ in false } }
        #expect(refusal?.code == "cancelled")
    }

    @Test func saysWhichCongestionControlIsMissing() throws {
        let host = try RuntimeHost()
        let scenario = try host.scenario(Self.scenario.replacing("reno", with: "vegas"), file: "s.yaml")
        let refusal = #expect(throws: Refusal.self) { try host.simulate(scenario) { _ in true } }
        #expect(refusal?.errno == 2)
        #expect(refusal?.text.contains("vegas") == true)
    }

    @Test func interpretsAndCompilesAlike() throws {
        let host = try RuntimeHost()
        // r0 = r2; r0 <<= 40; r0 += 7; exit
        let source = ProgramRunRequest.Source.hex(
            "bf20000000000000 6700000028000000 0700000007000000 9500000000000000", file: "p.hex")
        for interprets in [false, true] {
            let result = try host.run(
                ProgramRunRequest(source: source, data: [1, 2, 3], repeats: 3, interprets: interprets))
            #expect(result.r0 == 3 << 40 + 7)
            #expect(result.data == [1, 2, 3])
        }
    }

    @Test(
        "refuses what a program must not do, and what is none",
        arguments: ["", "zz", "95", "b700", "9500000000000000", "7910000000000000 9500000000000000"])
    func refusesProgram(hex: String) throws {
        let host = try RuntimeHost()
        #expect(throws: Refusal.self) {
            try host.run(ProgramRunRequest(source: .hex(hex, file: "p.hex")))
        }
    }

    @Test func answersEveryMethodWithATypedError() throws {
        let host = try RuntimeHost()
        for method in Method.allCases {
            for parameters in [[:], ["id": 99], ["name": "none"], ["object": "AAAA"], ["id": "x"]]
                as [JSONValue]
            {
                do throws(Refusal) {
                    _ = try host.handle(
                        RuntimeRequest(serial: 1, method: method.rawValue, parameters: parameters))
                } catch {
                    #expect(error.errno > 0, "\(method) \(parameters)")
                    #expect(!error.text.isEmpty)
                }
            }
        }
    }
}
