import Foundation

/// The toolchain's own disassembler, which knows nothing of our encoder.
enum Disassembler {
    enum Target: String {
        case x86 = "x86_64-unknown-linux-gnu"
        case aarch64 = "aarch64-unknown-linux-gnu"
        case bpf = "bpf"
    }

    /// Directory of the toolchain: where clang and llvm-objdump stand side by side on PATH.
    static let toolchain: String? = {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map(String.init).first { directory in
            ["clang", "llvm-objdump"].allSatisfy {
                FileManager.default.isExecutableFile(atPath: "\(directory)/\($0)")
            }
        }
    }()

    /// One text per chunk of bytes, its instructions joined by `; `. Intel syntax for x86-64.
    static func disassemble(_ chunks: [[UInt8]], as target: Target) throws -> [String] {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
            "opsd-disassemble-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let source = directory.appendingPathComponent("code.s"),
            object = directory.appendingPathComponent("code.o")
        var text = ".text\n"
        for (index, chunk) in chunks.enumerated() {
            // An empty chunk would share its address with the next label.
            if chunk.isEmpty { continue }
            text += "chunk\(index):\n" + directive(for: chunk, as: target) + "\n"
        }
        try text.write(to: source, atomically: true, encoding: .utf8)
        _ = try run("clang", ["-target", target.rawValue, "-c", source.path, "-o", object.path])
        let syntax = target == .x86 ? ["-M", "intel"] : []
        let listing = try run(
            "llvm-objdump",
            ["-d", "--no-show-raw-insn", "--no-leading-addr", "--no-print-imm-hex"] + syntax + [object.path])
        return collect(listing, count: chunks.count)
    }

    /// On AArch64 bytes are data to the disassembler, and only words may be code.
    private static func directive(for chunk: [UInt8], as target: Target) -> String {
        guard target == .aarch64 else { return ".byte " + chunk.map { String($0) }.joined(separator: ",") }
        let words = stride(from: 0, to: chunk.count, by: 4).map { start in
            chunk[start..<start + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        return ".inst " + words.map { String($0) }.joined(separator: ",")
    }

    private static func collect(_ listing: String, count: Int) -> [String] {
        var texts = [[String]](repeating: [], count: count)
        var current: Int?
        for line in listing.split(separator: "\n") {
            if line.hasPrefix("<chunk"), let end = line.firstIndex(of: ">") {
                current = Int(line[line.index(line.startIndex, offsetBy: 6)..<end])
            } else if let current, line.first?.isWhitespace == true {
                texts[current].append(normalised(line))
            }
        }
        return texts.map { $0.joined(separator: "; ") }
    }

    /// One space between words, no symbolic comments.
    private static func normalised(_ line: Substring) -> String {
        var code = line
        for comment in [" <chunk", "// ="] {
            if let start = code.range(of: comment)?.lowerBound { code = code[..<start] }
        }
        return code.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    private static func run(_ tool: String, _ arguments: [String]) throws -> String {
        struct Failure: Error { var tool: String, status: Int32 }
        guard let toolchain else { throw Failure(tool: tool, status: -1) }
        let process = Process(), output = Pipe()
        process.executableURL = URL(fileURLWithPath: "\(toolchain)/\(tool)")
        process.arguments = arguments
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(tool: tool, status: process.terminationStatus)
        }
        return String(decoding: data, as: UTF8.self)
    }
}
