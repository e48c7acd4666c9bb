import BPF
import Foundation
import Testing

/// One line of Tests/Fixtures/conformance: `[memory] program => r0`.
///
/// The memory, hex bytes, is what R1 points to and may be left out; the program is text for `TextAssembler`, which gets
/// its last `exit` here if it ends without one.
struct Case: Sendable, CustomTestStringConvertible {
    var file: String
    var line: Int
    var memory: [UInt8]
    var insns: [Instruction]
    var r0: UInt64

    var testDescription: String { "\(file):\(line)" }

    /// As a plugin takes it.
    var hex: String { insns.flatMap(\.bytes).map { String(format: "%02x", $0) }.joined(separator: " ") }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        .standardizedFileURL

    struct Malformed: Error { var place: String }

    static func all() throws -> [Case] {
        let folder = root.appending(path: "Tests/Fixtures/conformance")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return try files.filter { $0.pathExtension == "cases" }
            .sorted { $0.path < $1.path }
            .flatMap { file in
                let lines = try String(contentsOf: file, encoding: .utf8).split(
                    separator: "\n", omittingEmptySubsequences: false)
                return try lines.enumerated().compactMap { number, text in
                    text.isEmpty || text.hasPrefix("#")
                        ? nil : try Case(text, file: file.lastPathComponent, line: number + 1)
                }
            }
    }

    private init(_ text: Substring, file: String, line: Int) throws {
        let malformed = Malformed(place: "\(file):\(line)")
        guard let arrow = text.range(of: " => "),
            let r0 = TextAssembler.number(String(text[arrow.upperBound...]))
        else { throw malformed }
        var program = text[..<arrow.lowerBound]
        memory = []
        if program.hasPrefix("["), let end = program.firstIndex(of: "]") {
            memory = try parseHexBytes(program[..<end].dropFirst().utf8, limit: 4096)
            program = program[program.index(after: end)...]
        }
        insns = try TextAssembler.assemble(String(program))
        if insns.last?.isExit != true { insns.append(Instruction(opcode: Opcode.exit)) }
        self.file = file
        self.line = line
        self.r0 = r0
    }
}
