import Foundation
import Testing

@testable import BPF

/// C compiled for BPF by the clang on PATH, and the sections of the object it makes.
enum Clang {
    static let isPresent = (try? run(["--version"])) != nil

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// - Returns: contents of the sections, by name.
    static func sections(of source: String, flags: [String] = []) throws -> [String: [UInt8]] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "opsd-btf-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let input = folder.appending(path: "in.c")
        let output = folder.appending(path: "out.o")
        try Data(source.utf8).write(to: input)
        _ = try run(["-target", "bpf", "-mcpu=v3", "-O2", "-g", "-c", input.path, "-o", output.path] + flags)
        return try parse([UInt8](Data(contentsOf: output)))
    }

    static func btf(of source: String, flags: [String] = []) throws -> BTF {
        let section = try #require(sections(of: source, flags: flags)[".BTF"])
        return try BTF(parsing: section)
    }

    private static func run(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["clang"] + arguments
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(description: String(text.prefix(4000))) }
        return text
    }

    /// Just enough ELF64 for a file that clang has just written.
    private static func parse(_ file: [UInt8]) -> [String: [UInt8]] {
        func number(_ offset: Int, _ count: Int) -> Int {
            file[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        let table = number(0x28, 8)
        let headers = (0..<number(0x3c, 2)).map { table + 64 * $0 }
        let names = number(headers[number(0x3e, 2)] + 0x18, 8)
        var sections: [String: [UInt8]] = [:]
        for header in headers where number(header + 4, 4) != 8 {
            let start = names + number(header, 4)
            let name = String(decoding: file[start...].prefix { $0 != 0 }, as: UTF8.self)
            let offset = number(header + 0x18, 8)
            sections[name] = Array(file[offset..<offset + number(header + 0x20, 8)])
        }
        return sections
    }
}

/// The BTF of the kernel that runs the tests, where it has one.
enum RunningKernel {
    static let path = "/sys/kernel/btf/vmlinux"
    static let bytes: [UInt8]? = (try? Data(contentsOf: URL(filePath: path))).map { [UInt8]($0) }
    static let btf: BTF? = bytes.flatMap { try? BTF(parsing: $0) }
}
