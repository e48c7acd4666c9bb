import Foundation

/// Compiles BPF C in a directory of its own, so that no path of this machine gets into the object.
final class BPFClang: Sendable {
    /// Headers of the examples.
    static let examples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Examples/include")

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

    private let lock = NSLock()

    deinit { try? FileManager.default.removeItem(at: directory) }

    func compile(_ source: String, name: String) throws -> [UInt8] {
        // Suites run side by side, and names are shared.
        try lock.withLock { try compileAlone(source, name: name) }
    }

    private func compileAlone(_ source: String, name: String) throws -> [UInt8] {
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
