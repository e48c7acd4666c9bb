import Foundation
import Testing

/// The product as a conformance suite runs it: one process a program.
@Suite("Conformance plugin", .timeLimit(.minutes(30))) struct PluginTests {
    private struct Outcome: Equatable {
        var status: Int32
        var output: String
        var error: String
    }

    /// `swift build` puts programs beside the test program.
    private static let plugin = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "bpf-conformance-plugin")

    private func run(_ arguments: [String], _ program: String) throws -> Outcome {
        let process = Process()
        process.executableURL = Self.plugin
        process.arguments = arguments
        let (input, output, error) = (Pipe(), Pipe(), Pipe())
        (process.standardInput, process.standardOutput, process.standardError) = (input, output, error)
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(program.utf8))
        try input.fileHandleForWriting.close()
        let texts = [output, error].map {
            String(decoding: $0.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        }
        process.waitUntilExit()
        return Outcome(status: process.terminationStatus, output: texts[0], error: texts[1])
    }

    private static let exit = "95 00 00 00 00 00 00 00\n"

    @Test(
        arguments: [
            // r0 = *(u16 *)(r1 + 1)
            (["0a 0b 0c"], "69 10 01 00 00 00 00 00", "c0b\n"),
            (["0a 0b 0c", "--interpret"], "69 10 01 00 00 00 00 00", "c0b\n"),
            // r0 = r2: without memory, and with an empty argument for it
            ([], "bf 20 00 00 00 00 00 00", "0\n"),
            (["", "--jit"], "bf 20 00 00 00 00 00 00", "0\n"),
            // What RFC 9669 defines and no verifier accepts: w0 = 7; w0 >>= 33, r0 s/= 0, r0 %= 0
            ([], "b4 00 00 00 07 00 00 00 74 00 00 00 21 00 00 00", "3\n"),
            ([], "b7 00 00 00 07 00 00 00 37 00 01 00 00 00 00 00", "0\n"),
            ([], "b7 00 00 00 ff ff ff ff 97 00 00 00 00 00 00 00", "ffffffffffffffff\n"),
            ([], "b7 00 00 00 ff ff ff ff 94 00 01 00 00 00 00 00", "ffffffff\n"),
        ] as [([String], String, String)])
    func printsR0(arguments: [String], program: String, r0: String) throws {
        #expect(
            try run(arguments, program + " " + Self.exit) == Outcome(status: 0, output: r0, error: ""))
    }

    @Test(
        arguments: [
            // r0 = *(u64 *)(r1 + 0) without memory
            ([], "79 10 00 00 00 00 00 00", 1, "R1"), ([], "b7 00", 2, "20 hex digits"),
            (["--fast"], "", 2, "--fast"), (["0a 0"], "", 2, "3 hex digits"),
        ] as [([String], String, Int32, String)])
    func saysWhatIsWrong(arguments: [String], program: String, status: Int32, word: String) throws {
        let outcome = try run(arguments, program + " " + Self.exit)
        #expect(outcome.status == status)
        #expect(outcome.output == "")
        #expect(outcome.error.contains(word), "\(outcome.error)")
    }
}
