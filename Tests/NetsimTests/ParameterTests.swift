import BPF
import OpsCore
import Testing

@testable import Netsim

@Suite("Parameters", .enabled(if: CompiledObject.clang != nil, "needs clang with the bpf target"))
struct ParameterTests {
    private static func scenario(_ flows: [String], duration: String = "10s") -> String {
        """
        duration: \(duration)
        links: {l: {rate: 20Mbit, delay: 20ms, buffer: 100kB}}
        flows:
        \(flows.map { "  - {path: [l], rtt: 40ms, \($0)}" }.joined(separator: "\n"))
        record: off
        """
    }

    private static func goodputs(_ json: String) -> [Double] {
        json.matches(of: /"goodput_bps":(\d+)/).compactMap { Double($0.output.1) }
    }

    @Test("an object with its own values is reno, with and without naming them")
    func defaultsAreReno() throws {
        let object = try CompiledObject.example("aimd")
        let reno = try ProgramTests.run(Self.scenario(["name: a, cc: reno"]), [])
        for flow in [
            "name: a, cc: bpf_aimd", "name: a, cc: bpf_aimd, params: {increase: 1, decrease: 0x200}",
        ] {
            let json = try ProgramTests.run(Self.scenario([flow]), [object])
            #expect(ProgramTests.figures(json) == ProgramTests.figures(reno))
        }
    }

    @Test(
        "flows of one object with other values behave differently side by side, and the result records them")
    func valuesCount() throws {
        let json = try ProgramTests.run(
            Self.scenario(
                [
                    "name: timid, cc: bpf_aimd, params: {decrease: 300}",
                    "name: bold, cc: bpf_aimd, params: {decrease: 950, increase: 4}",
                ], duration: "20s"), [CompiledObject.example("aimd")])
        let goodputs = Self.goodputs(json)
        #expect(goodputs.count == 2 && goodputs[1] > 2 * goodputs[0])
        #expect(json.contains(#""params":{"decrease":"950","increase":"4"}"#))
        #expect(!json.contains(#""object_sha256":{"bpf_aimd":null"#))
    }

    @Test("nothing of a variant is left behind, and the registration keeps its own values")
    func leavesNothing() throws {
        let (runtime, subsystem) = try ProgramTests.runtime([CompiledObject.example("aimd")])
        let before = try runtime.registrations(nil).map(\.id)
        let objects = runtime.objects().count
        let scenario = try Scenario.parse(
            Self.scenario(["name: a, cc: bpf_aimd, params: {decrease: 700}"], duration: "1s"), file: "x.yaml")
        for _ in 0..<3 { _ = try Simulation(scenario, runtime: runtime, subsystem: subsystem).run() }
        #expect(try runtime.registrations(nil).map(\.id) == before)
        #expect(runtime.objects().count == objects)
    }

    @Test(
        "what does not fit is refused with what would",
        arguments: [
            ("{decrees: 1}", "no global variable 'decrees'"), ("{decrease: -1}", "0 to 4294967295"),
            ("{decrease: 4294967296}", "0 to 4294967295"), ("{decrease: half}", "0 to 4294967295"),
        ])
    func refuses(params: String, says: String) throws {
        let text = Self.scenario(["name: a, cc: bpf_aimd, params: \(params)"])
        let error = #expect(throws: OpsError.self) {
            try ProgramTests.run(text, [CompiledObject.example("aimd")])
        }
        let all = "\(error?.text ?? "") \(error?.reason ?? "")"
        #expect(all.contains(says), "\(all)")
    }

    @Test("built-ins have no variables")
    func refusesBuiltins() {
        let error = #expect(throws: OpsError.self) {
            try Scenario.parse(Self.scenario(["name: a, cc: cubic, params: {beta: 1}"]), file: "x.yaml")
        }
        #expect(error?.text.contains("the built-in 'cubic' has no variables to set") == true)
    }
}
