import Foundation
import Glibc
import Testing

/// A directory on which calls fail when a test says so, for a daemon that was started with `environment`.
///
/// `Tests/Fixtures/faulty-disk` does it, loaded before the daemon's own libraries; a file in shared memory has what is to
/// fail.
final class FaultyDisk {
    /// nil: there is no C compiler.
    static let library: String? = {
        guard let clang = Example.clang else { return nil }
        let file = Sandbox.binaries.appending(path: "faulty-disk-\(getpid()).so").path
        let source = Sandbox.root.appending(path: "Tests/Fixtures/faulty-disk/faulty_disk.c").path
        let result = try? Sandbox.run(
            clang, ["-std=gnu17", "-Wall", "-Werror", "-O1", "-shared", "-fPIC", "-o", file, source, "-ldl"])
        return result?.status == 0 ? file : nil
    }()

    /// The fields of the library's `struct control`, in its order; 8 bytes each.
    private enum Field: Int { case calls, failed, passing, failing, perMille, sequence, error }

    let environment: [String: String]
    private let control: UnsafeMutablePointer<Int64>
    private static let byteCount = 4096

    init(_ directory: URL, in folder: URL) throws {
        let path = folder.appending(path: "faulty-disk").path
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        try #require(ftruncate(file, off_t(Self.byteCount)) == 0)
        let address = mmap(nil, Self.byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        control = try #require(address != MAP_FAILED ? address : nil).assumingMemoryBound(to: Int64.self)
        var libraries = try #require(Self.library)
        // Beside what is loaded already: Scripts/sanitize.
        if let others = ProcessInfo.processInfo.environment["LD_PRELOAD"] { libraries += ":" + others }
        environment = [
            "LD_PRELOAD": libraries, "FAULTY_DISK": path, "FAULTY_DISK_PATH": directory.path,
        ]
        heal()
    }

    deinit { munmap(control, Self.byteCount) }

    private func set(_ field: Field, _ value: Int64) { control[field.rawValue] = value }

    /// Calls that could have failed, and those that did, since `fail` or `heal`.
    var calls: Int { Int(control[Field.calls.rawValue]) }
    var failed: Int { Int(control[Field.failed.rawValue]) }

    func heal() {
        set(.perMille, 0)
        set(.passing, -1)
        set(.calls, 0)
        set(.failed, 0)
    }

    /// - Parameters:
    ///   - passing: calls from now on that succeed first.
    ///   - count: calls that fail then.
    func fail(with error: CInt, after passing: Int = 0, count: Int = .max) {
        heal()
        set(.error, Int64(error))
        set(.failing, Int64(count))
        set(.passing, Int64(passing))
    }

    func failAtRandom(with error: CInt, inAThousand share: Int, seed: UInt64) {
        heal()
        set(.error, Int64(error))
        set(.sequence, Int64(bitPattern: seed))
        set(.perMille, Int64(share))
    }
}
