package import ControlAPI
import Foundation
import Glibc
package import Netsim
import Synchronization

/// A file that takes the bytes of one output.
package final class OutputFile: Sendable {
    private let descriptor: CInt

    private init(_ descriptor: CInt) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Creates or empties a file, which stays open for as long as its sink is in use.
    package static func sink(_ path: String) throws(Refusal) -> OutputSink {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw failure("cannot write '\(path)'", errno) }
        let file = OutputFile(descriptor)
        return OutputSink(name: path) { bytes in file.write(bytes) }
    }

    /// Creates or empties a file with its first bytes, and is open only while it writes: there may be many of these.
    static func lazySink(_ path: String) -> OutputSink {
        let isNew = Atomic(true)
        return OutputSink(name: path) { bytes in
            let mode = isNew.exchange(false, ordering: .relaxed) ? O_CREAT | O_TRUNC : O_APPEND
            let descriptor = Glibc.open(path, O_WRONLY | O_CLOEXEC | mode, 0o666)
            return descriptor < 0 ? errno : OutputFile(descriptor).write(bytes)
        }
    }

    package static func makeDirectory(_ path: String) throws(Refusal) {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
            throw failure("cannot make the directory '\(path)'", CInt(underlying?.code ?? Int(EIO)))
        }
    }

    private static func failure(_ problem: String, _ code: CInt) -> Refusal {
        Refusal("io", errno: Int(code), problem, reason: String(cString: strerror(code)))
    }

    /// All of it.
    /// - Returns: 0, or errno.
    private func write(_ bytes: [UInt8]) -> CInt {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = Glibc.write(descriptor, part.baseAddress, part.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return count < 0 ? errno : EIO }
                rest = rest.dropFirst(count)
            }
            return 0
        }
    }
}
