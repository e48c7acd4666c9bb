import Foundation
import Testing

@Suite(
    "Hunts",
    .enabled(if: Example.clang != nil, "no clang with the bpf target: the object cannot be compiled"))
struct HuntTests {
    private static func finding(_ output: Sandbox.Output) throws -> [String: Any]? {
        try #require(output.status == 0, "\(output.stderr)")
        return (try output.json()["result"] as? [String: Any])?["finding"] as? [String: Any]
    }

    @Test("a planted bug is found, and its minimal scenario shows it", .timeLimit(.minutes(30)))
    func findsStarvation() throws {
        let sandbox = try Sandbox()
        let source = Sandbox.root.appending(path: "Tests/Fixtures/hunt/starves.bpf.c")
        let object = try Example.compile("starves", source: String(contentsOf: source, encoding: .utf8))
        let file = sandbox.folder.path + "/found.yaml"
        let finding = try #require(
            try Self.finding(
                sandbox.opsctl("-j", "sim", "hunt", object, "--runs", "20", "--workers", "2", "-o", file)))
        #expect(finding["kind"] as? String == "starvation")
        let scenario = try String(contentsOfFile: file, encoding: .utf8)
        #expect(finding["scenario"] as? String == scenario)

        // What is left is one flow on one link, and the long path that the bug needs.
        #expect(scenario.contains("flows:\n  - {name: "), "\(scenario)")
        #expect(scenario.split(separator: "\n").count { $0.contains("rtt:") } == 1, "\(scenario)")
        for gone in ["loss", "queue", "jitter", "start", "ecn", "seed"] {
            #expect(!scenario.contains(gone), "\(scenario)")
        }
        let check = try sandbox.opsctl("sim", "check", file, "--object", object)
        #expect(
            check.status == 1 && check.stderr.contains("2 of 2 expectations do not hold"), "\(check.stderr)")
        // Reno itself passes where it fails.
        let healed = try sandbox.file("healed.yaml", scenario.replacing("bpf_starves", with: "reno"))
        #expect(try sandbox.opsctl("sim", "check", healed).status == 0)
    }

    @Test("Reno does nothing that Reno and CUBIC do not", .timeLimit(.minutes(30)))
    func findsNothing() throws {
        let sandbox = try Sandbox()
        let object = try Example.reno.get()
        let output = try sandbox.opsctl("-j", "sim", "hunt", object, "--runs", "6", "--workers", "2")
        #expect(try Self.finding(output) == nil)
        #expect((try output.json()["result"] as? [String: Any])?["tried"] as? Int == 6)
    }
}
