import Foundation

/// Objects compiled from C when a test runs: clang is part of every Swift toolchain.
enum CompiledObject {
    static let repository = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let fixtures = repository.appending(path: "Tests/Fixtures/objects")

    struct ToolFailure: Error, CustomStringConvertible {
        var description: String
    }

    /// - Parameters:
    ///   - source: a path below the repository, or an absolute one.
    ///   - includes: directories searched before `Examples/include`.
    static func bytes(
        of source: String, cpu: String = "v3", debugInfo: Bool = true, includes: [String] = [],
        defines: [String] = []
    ) throws -> [UInt8] {
        let output = FileManager.default.temporaryDirectory.appending(
            path: "opsd-test-\(UUID().uuidString).o")
        defer { try? FileManager.default.removeItem(at: output) }
        let own = repository.appending(path: "Examples/include").path
        try run(
            "clang",
            [
                "-target", "bpf", "-mcpu=\(cpu)", "-O2", "-Wall", "-Werror",
                "-Wno-unused-command-line-argument",
            ] + (debugInfo ? ["-g"] : [])
                + (includes + [own]).flatMap { ["-I", $0] } + defines.map { "-D\($0)" }
                + [
                    "-c", source.hasPrefix("/") ? source : repository.appending(path: source).path, "-o",
                    output.path,
                ])
        return [UInt8](try Data(contentsOf: output))
    }

    /// Compiles C text that may use `bpf_helpers.h`; `__u32` and its like are defined.
    static func bytes(compiling text: String, cpu: String = "v3", debugInfo: Bool = true) throws -> [UInt8] {
        let source = FileManager.default.temporaryDirectory.appending(
            path: "opsd-test-\(UUID().uuidString).bpf.c")
        defer { try? FileManager.default.removeItem(at: source) }
        let types = """
            typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32;
            typedef int __s32; typedef unsigned long long __u64; typedef _Bool bool;
            #include "bpf_helpers.h"

            """
        try Data((types + text).utf8).write(to: source)
        return try bytes(of: source.path, cpu: cpu, debugInfo: debugInfo)
    }

    /// Standard output of a tool found on PATH.
    @discardableResult
    static func run(_ tool: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        let output = Pipe()
        let errors = FileManager.default.temporaryDirectory.appending(
            path: "opsd-test-\(UUID().uuidString).err")
        _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let text = try String(contentsOf: errors, encoding: .utf8)
            throw ToolFailure(description: "\(tool) \(arguments.joined(separator: " ")): \(text)")
        }
        return String(decoding: data, as: UTF8.self)
    }
}
