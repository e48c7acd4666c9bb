import CShim
import Foundation
import JIT
import OpsCore
import Verifier

/// Runs code of the AArch64 generator on a machine that is none: a C program (Tests/Fixtures/aarch64) maps it and calls
/// it, under qemu-user where the host is another processor. Many programs share one process.
struct AArch64Machine {
    /// What the C program fixes.
    private static let codeBase = 0x2000_0000
    private static let helperBase: UInt = 0x3800_0000
    private static let blockBase: UInt = 0x4000_0000
    static let memoryBase: UInt64 = 0x5000_0000

    /// One program, compiled, on its instance and memory.
    struct Job {
        private(set) var code: [UInt8]
        private(set) var entryOffset: Int
        var block: [UInt8]
        var memory: [UInt8]
        /// The second and the third; the first is the memory's address.
        var arguments: (UInt64, UInt64)
    }

    struct Result {
        var r0: UInt64
        var block: [UInt8]
        var memory: [UInt8]
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let folder: URL
    private let harness: URL

    /// What is missing here, for a test that is skipped; nil: nothing.
    static var missing: String? {
        let tools = ["aarch64-linux-gnu-gcc", "qemu-aarch64"].filter { tool(named: $0) == nil }
        return tools.isEmpty ? nil : "\(tools.joined(separator: ", ")) not installed: 'make test-deps'"
    }

    private static func tool(named name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/\(name)" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "opsd-aarch64-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        harness = folder.appending(path: "harness")
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        try Self.run(
            "aarch64-linux-gnu-gcc",
            [
                "-O1", "-static", "-I", root.appending(path: "Sources/CShim/include").path,
                root.appending(path: "Tests/Fixtures/aarch64/harness.c").path, "-o", harness.path,
            ])
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    private static let word = FuncModel.Value(byteCount: 8)

    /// - Parameter offset: bytes of the code of the jobs before it in the same run.
    static func job(
        _ program: VerifiedProgram, on instance: Instance, memory: [UInt8], features: CPUFeatures,
        inlinesHelpers: Bool, at offset: Int,
        model: FuncModel = FuncModel(arguments: [word, word], result: word),
        kind: EntryRequest.Kind = .registers, slots: [Int]? = nil
    ) throws -> Job {
        let helpers = Dictionary(uniqueKeysWithValues: HelperTable.base.ids.map { ($0, helper($0)) })
        let compiled = try compile(
            CompileRequest(
                program: program, layout: instance.layout, helpers: helpers, features: features,
                options: CompileOptions(inlinesHelpers: inlinesHelpers)),
            for: .aarch64)
        guard let body = UnsafeRawPointer(bitPattern: codeBase + offset),
            let block = UnsafeMutableRawPointer(bitPattern: blockBase)
        else { throw Failure(description: "address 0") }
        let entry = try entryCode(
            EntryRequest(
                model: model, body: body, block: block, kind: kind, needs: compiled.needs, slots: slots),
            for: .aarch64)
        return Job(
            code: compiled.code + entry, entryOffset: compiled.code.count, block: image(of: instance),
            memory: memory, arguments: (UInt64(memory.count), 0))
    }

    private static func helper(_ id: Int32) -> UInt { helperBase + 16 * UInt(bitPattern: Int(id)) }

    /// The instance's block, with handles as the C program reads them, and its arena where memory is.
    private static func image(of instance: Instance) -> [UInt8] {
        let layout = instance.layout
        var bytes = Array(UnsafeRawBufferPointer(start: instance.block, count: layout.byteCount))
        if instance.arena != nil, let field = MemoryLayout<ops_block>.offset(of: \ops_block.arena_base) {
            withUnsafeBytes(of: memoryBase.littleEndian) {
                bytes.replaceSubrange(field..<field + 8, with: $0)
            }
        }
        func put(_ value: UInt64, at offset: Int) {
            withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + 8, with: $0) }
        }
        let percpu = percpuValues(of: instance)
        for (index, slot) in layout.slots.enumerated() {
            var values = slot.dataOffset
            if let own = percpu[index], let base = slot.percpuBaseOffset {
                put(UInt64(blockBase) + UInt64(own.lowerBound), at: base)
                let cpu = Int(instance.block.pointee.cpu), cpus = instance.configuration.cpus
                values = own.lowerBound + (cpu < cpus ? cpu : 0) * slot.elementStride * slot.maxEntries
            }
            let handle = values.map {
                UInt64($0) | UInt64(slot.elementStride) << 32 | UInt64(slot.maxEntries) << 48
            }
            put(handle ?? 0, at: slot.handleOffset)
        }
        return bytes
            + [UInt8](
                repeating: 0, count: (percpu.values.map(\.upperBound).max() ?? bytes.count) - bytes.count)
    }

    /// Where the values of per-CPU arrays stand behind the block, by map: all of CPU 0, then all of CPU 1.
    static func percpuValues(of instance: Instance) -> [Int: Range<Int>] {
        var ranges: [Int: Range<Int>] = [:]
        var end = instance.layout.byteCount
        for (index, slot) in instance.layout.slots.enumerated() where slot.percpuBaseOffset != nil {
            let start = end
            end += slot.elementStride * slot.maxEntries * instance.configuration.cpus
            ranges[index] = start..<end
        }
        return ranges
    }

    /// Bytes that a job's code takes of the space for all.
    static func codeByteCount(_ job: Job) -> Int { padded(job.code.count) }

    func run(_ jobs: [Job]) throws -> [Result] {
        let (input, output) = (folder.appending(path: "input"), folder.appending(path: "output"))
        var bytes = Data()
        func put(_ number: some BinaryInteger) {
            withUnsafeBytes(of: UInt64(truncatingIfNeeded: number).littleEndian) {
                bytes.append(contentsOf: $0)
            }
        }
        put(jobs.count)
        for job in jobs {
            for number in [job.code.count, job.entryOffset, job.block.count, job.memory.count] { put(number) }
            put(job.arguments.0)
            put(job.arguments.1)
            for part in [job.code, job.block, job.memory] {
                bytes.append(contentsOf: part)
                bytes.append(Data(count: Self.padded(part.count) - part.count))
            }
        }
        try bytes.write(to: input)
        try Self.run("qemu-aarch64", [harness.path, input.path, output.path])
        return try results(of: jobs, in: [UInt8](try Data(contentsOf: output)))
    }

    private func results(of jobs: [Job], in bytes: [UInt8]) throws -> [Result] {
        var rest = bytes[...]
        func take(_ count: Int) throws -> [UInt8] {
            guard rest.count >= Self.padded(count) else {
                throw Failure(description: "the output is too short")
            }
            defer { rest = rest.dropFirst(Self.padded(count)) }
            return Array(rest.prefix(count))
        }
        return try jobs.map { job in
            guard rest.count >= 8 else { throw Failure(description: "the output is too short") }
            let r0 = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            rest = rest.dropFirst(8)
            return Result(r0: r0, block: try take(job.block.count), memory: try take(job.memory.count))
        }
    }

    private static func padded(_ count: Int) -> Int { (count + 15) & ~15 }

    private static func run(_ name: String, _ arguments: [String]) throws {
        guard let path = tool(named: name) else { throw Failure(description: "\(name) is not installed") }
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(name) ended with \(process.terminationStatus)")
        }
    }
}
