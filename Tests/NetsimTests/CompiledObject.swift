import BPF
import Foundation
import KernelABI
import Testing

@testable import Netsim

/// Compiles BPF C with the toolchain's clang against the header that our own BTF prints.
enum CompiledObject {
    static let clang: String? = {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/clang" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()

    static let examples = Fixture.root.deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Examples")

    static func example(_ name: String) throws -> [UInt8] {
        try compile(source: examples.appending(path: "\(name).bpf.c"))
    }

    static func compile(text: String) throws -> [UInt8] {
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).bpf.c")
        try text.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        return try compile(source: file)
    }

    private static func compile(source: URL) throws -> [UInt8] {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let header = try LayoutTests.kernelBTF().dumpC()
        try header.write(to: directory.appending(path: "vmlinux.h"), atomically: true, encoding: .utf8)
        let object = directory.appending(path: "program.o")
        let process = Process()
        process.executableURL = URL(filePath: try #require(clang))
        process.arguments = [
            "-target", "bpf", "-mcpu=v3", "-g", "-O2", "-I\(directory.path)",
            "-I\(examples.appending(path: "include").path)", "-c", source.path, "-o", object.path,
        ]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "clang failed on \(source.lastPathComponent)")
        return [UInt8](try Data(contentsOf: object))
    }
}
