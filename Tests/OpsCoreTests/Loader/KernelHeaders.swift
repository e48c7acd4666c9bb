import BPF
import Foundation

/// Directories that hold a `vmlinux.h` for `-I`.
enum KernelHeaders {
    /// Made from the simulator's BTF, as `opsctl btf dump format c` prints it.
    static func ours() throws -> String { try own.get() }

    private static let own = Result {
        let file = CompiledObject.repository.appending(path: "Sources/KernelABI/kernel.btf")
        return try write(try BTF(parsing: [UInt8](Data(contentsOf: file))).dumpC())
    }

    /// Everything that the kernel of this machine tells about itself.
    static let running = Result {
        try write(
            try CompiledObject.run(
                "bpftool", ["btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"]))
    }

    static var hasRunningKernel: Bool { (try? running.get()) != nil }

    private static func write(_ header: String) throws -> String {
        let directory = FileManager.default.temporaryDirectory.appending(
            path: "opsd-test-headers-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try Data(header.utf8).write(to: directory.appending(path: "vmlinux.h"))
        return directory.path
    }
}
