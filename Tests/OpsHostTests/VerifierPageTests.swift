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
            header: try host.btfAsC(), include: Self.root.appending(path: "Examples/include"))
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

/// Compiles BPF C in a directory of its own, so that no path of this machine gets into the object.
private final class BPFClang {
    private let directory: URL

    static let isPresent: Bool = {
        guard let clang = try? BPFClang(header: "", include: nil) else { return false }
        return (try? clang.compile("int x;", name: "x.c")) != nil
    }()

    init(header: String, include: URL?) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "opsd-page-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try header.write(to: directory.appending(path: "vmlinux.h"), atomically: true, encoding: .utf8)
        var prelude = "#include \"vmlinux.h\"\n"
        if let include {
            let helpers = try String(
                contentsOf: include.appending(path: "bpf_helpers.h"), encoding: .utf8)
            try helpers.write(
                to: directory.appending(path: "bpf_helpers.h"), atomically: true, encoding: .utf8)
            prelude += "#include \"bpf_helpers.h\"\nchar licence[] SEC(\"license\") = \"GPL\";\n"
        }
        try prelude.write(to: directory.appending(path: "prelude.h"), atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func compile(_ source: String, name: String) throws -> [UInt8] {
        try source.write(to: directory.appending(path: name), atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.currentDirectoryURL = directory
        process.arguments = [
            "clang", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w", "-fdebug-compilation-dir=.", "-include",
            "prelude.h", "-c", name, "-o", "page.o",
        ]
        process.standardError = Pipe()
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.fileReadCorruptFile) }
        return [UInt8](try Data(contentsOf: directory.appending(path: "page.o")))
    }
}
