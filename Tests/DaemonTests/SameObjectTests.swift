import Foundation
import Testing

/// One source, two headers: an object made for the running kernel does here what one made for us does.
@Suite(
    "Same object",
    .enabled(
        if: Example.clang != nil && Example.hasRunningKernelHeader,
        "needs clang with a bpf target, bpftool and /sys/kernel/btf/vmlinux"), .timeLimit(.minutes(30)))
struct SameObjectTests {
    @Test(
        "our header and the running kernel's give the same simulation, byte for byte",
        arguments: ["reno", "cubic", "dctcp"])
    func givesTheSameResult(name: String) throws {
        let sandbox = try Sandbox()
        let scenario = try sandbox.file(
            "s.yaml",
            """
            name: same
            duration: 5s
            seed: 3
            links: {b: {rate: 20Mbit, delay: 10ms, buffer: 60kB, mark: 30kB, loss: 0.1%}}
            flows:
              - {name: a, count: 2, cc: bpf_\(name), path: [b], rtt: 30ms, ecn: true}
              - {name: b, cc: bpf_\(name), path: [b], rtt: 40ms, start: 1s, app: {transfer: 100kB, count: 5, gap: 50ms}}

            """)
        let ours = try result(of: scenario, try Example.compile(name), sandbox)
        let theirs = try result(of: scenario, try Example.compile(name, against: .runningKernel), sandbox)
        #expect(ours == theirs)
    }

    /// The result's bytes without the one thing that must differ, the objects' own hash.
    private func result(of scenario: String, _ object: String, _ sandbox: Sandbox) throws -> String {
        let file = sandbox.folder.appending(path: "result.json")
        let output = try sandbox.opsctl(
            "sim", "run", scenario, "--local", "--object", object, "-o", file.path)
        #expect(output.status == 0, Comment(rawValue: output.stderr))
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains("\"goodput_bps\""))
        return text.replacing(#/[0-9a-f]{64}/#, with: "…")
    }
}
