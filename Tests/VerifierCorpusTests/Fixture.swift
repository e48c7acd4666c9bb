import BPF
import Foundation
import OpsCore
import Verifier

/// One file of Tests/Fixtures/verifier, compiled, with what its marks say.
struct Fixture {
    static let repository = URL(filePath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let directory = repository.appending(path: "Tests/Fixtures/verifier")

    /// Names of the files, without `.bpf.c`.
    static let topics: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? [])
        .filter { $0.hasSuffix(".bpf.c") }.map { String($0.dropLast(".bpf.c".count)) }.sorted()

    let topic: String
    /// The compiled object's path, for the kernel's judge.
    let path: String
    let spec: ObjectSpec
    let marks: [String: Marks]

    /// Compiles a topic; with `isFixed` what its suggestions say is done.
    init(topic: String, isFixed: Bool = false) throws {
        self.topic = topic
        let output = Scratch.directory.appending(path: topic + (isFixed ? "-fixed" : "") + ".bpf.o")
        path = output.path
        try Scratch.run(
            "clang",
            [
                "-target", "bpf", "-mcpu=v4", "-O2", "-g", "-Wall", "-Werror",
                "-I", Self.directory.appending(path: "include").path,
                "-I", Self.repository.appending(path: "Examples/include").path,
            ] + (isFixed ? ["-DFIXED"] : []) + [
                "-c", Self.directory.appending(path: topic + ".bpf.c").path, "-o", path,
            ])
        spec = try parseObject([UInt8](Data(contentsOf: output)), name: topic + ".bpf.o")
        marks = spec.btf.map(Marks.all(of:)) ?? [:]
    }

    /// Entry points in the order of the file.
    var programs: [FunctionSpec] { spec.programs.map { spec.functions[$0] } }
}

/// Files that tests make, and the tools that make them.
enum Scratch {
    static let directory: URL = {
        let url = FileManager.default.temporaryDirectory.appending(path: "opsd-corpus-\(UUID().uuidString)")
        try? FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }()

    struct Failure: Error, CustomStringConvertible {
        var description: String
        var status: Int32
    }

    /// Standard output of a tool found on PATH.
    @discardableResult
    static func run(_ tool: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [tool] + arguments
        let output = Pipe()
        let errors = directory.appending(path: UUID().uuidString)
        _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let text = (try? String(contentsOf: errors, encoding: .utf8)) ?? ""
            throw Failure(description: "\(tool): \(text)", status: process.terminationStatus)
        }
        return String(decoding: data, as: UTF8.self)
    }
}
