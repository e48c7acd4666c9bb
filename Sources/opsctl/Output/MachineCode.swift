import ControlAPI
import Foundation
import OpsHost

/// Machine code as the toolchain's disassembler prints it.
enum MachineCode {
    /// - Parameter lines: of `prog dump jited`: the bytes of each BPF instruction, ascending by offset.
    /// - Returns: one line per machine instruction, prototypes and source lines where they were; nil without llvm-objdump.
    static func disassemble(_ lines: [DumpLine]) throws -> [DumpLine]? {
        guard let tool = objdump else { return nil }
        guard let start = lines.first?.pc else { return lines }
        let chunks = lines.map { (line: $0, bytes: bytes(of: $0)) }
        let code = chunks.flatMap { $0.bytes }
        let texts = try run(tool, on: code)
        var listing: [DumpLine] = []
        for chunk in chunks {
            guard let offset = chunk.line.pc.map({ $0 - start }) else { continue }
            let inside = texts.filter { (offset..<offset + chunk.bytes.count).contains($0.offset) }
            for (index, text) in inside.enumerated() {
                let end = index + 1 < inside.count ? inside[index + 1].offset : offset + chunk.bytes.count
                var line = index == 0 ? chunk.line : DumpLine(disasm: "")
                line.pc = start + text.offset
                line.disasm = text.text
                line.opcodes = chunk.bytes[text.offset - offset..<end - offset].map(hex).joined(
                    separator: " ")
                listing.append(line)
            }
        }
        return listing
    }

    private static var objdump: String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/llvm-objdump" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    private static func bytes(of line: DumpLine) -> [UInt8] {
        (line.opcodes ?? "").split(separator: " ").compactMap { UInt8($0, radix: 16) }
    }

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    /// Lines of the listing look like `      1f:      \tmovq\t%rdi, %rbx`.
    private static func run(_ tool: String, on code: [UInt8]) throws -> [(offset: Int, text: String)] {
        let file = FileManager.default.temporaryDirectory.appending(path: "opsctl-\(UUID().uuidString).o")
        try Data(RuntimeHost.objectFile(ofMachineCode: code)).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process(), output = Pipe()
        process.executableURL = URL(filePath: tool)
        process.arguments = ["-d", "--no-show-raw-insn", file.path]
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Refusal("io", errno: 5, "'\(tool)' ended with \(process.terminationStatus)")
        }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap { line in
            guard let colon = line.firstIndex(of: ":"),
                let offset = Int(line[..<colon].drop { $0 == " " }, radix: 16)
            else { return nil }
            let words = line[line.index(after: colon)...].split { $0 == " " || $0 == "\t" }
            return words.isEmpty ? nil : (offset, words.joined(separator: " "))
        }
    }
}
