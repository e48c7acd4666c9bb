import ControlAPI
import Foundation
import OpsHost
import Testing

/// docs/verifier.md shows programs and what the verifier says about them: both must be true.
///
/// `OPSD_BLESS=1` writes what it says now into the page.
@Suite("The verifier's page", .enabled(if: BPFClang.isPresent, "no clang with the bpf target on PATH"))
struct VerifierPageTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func pageIsCurrent() throws {
        let file = Self.root.appending(path: "docs/verifier.md")
        let page = try String(contentsOf: file, encoding: .utf8)
        var blocks = page.components(separatedBy: "```")
        let host = try RuntimeHost()
        let clang = try BPFClang(
            header: try host.btfAsC(), include: BPFClang.examples)
        var programs = 0
        // Blocks and the text between them alternate; each program is followed by its output.
        for index in blocks.indices where blocks[index].hasPrefix("c\n/* ") {
            let source = String(blocks[index].dropFirst(2))
            let name = String(source.dropFirst(3).prefix { $0 != " " })
            let verdicts = try host.check(
                try clang.compile(source, name: name), name: name, CheckRequest())
            let output = verdicts.map { $0.explanation ?? $0.verdict }.joined(separator: "\n")
            let expected = "text\n\(output)\n"
            try #require(blocks.indices.contains(index + 2))
            if blocks[index + 2] != expected && ProcessInfo.processInfo.environment["OPSD_BLESS"] == nil {
                Issue.record("\(name): the page is stale; it should say\n\(output)")
            }
            #expect(verdicts.allSatisfy { $0.verdict == "reject" && $0.reason?.suggestion != nil }, "\(name)")
            blocks[index + 2] = expected
            programs += 1
        }
        #expect(programs >= 10)
        if ProcessInfo.processInfo.environment["OPSD_BLESS"] != nil {
            try blocks.joined(separator: "```").write(to: file, atomically: true, encoding: .utf8)
        }
    }
}
