import CShim
import Glibc

/// Memory that the broker shares with one runtime, in which an object file passes from one to the other: as text in a
/// request, a megabyte would be written, sent, received, searched and copied several times over.
///
/// It holds one object at a time; one that finds it taken, or is larger, goes as text. The broker never reads what lies
/// here, for the runtime may have been damaged by what ran in it; and the size is sealed, so that nothing the runtime
/// does can take pages away under the broker.
///
/// Invariant: `memory` is one shared mapping of `byteCount` bytes, which lives as long as the window.
///
/// Unchecked: the broker's is confined to its loop, the runtime's to its main thread.
final class ObjectWindow: @unchecked Sendable {
    static let byteCount = 4 << 20

    private let memory: UnsafeMutableRawBufferPointer
    /// The broker's: an object lies here that the runtime may not have read yet.
    private var isTaken = false

    /// Maps the file behind a descriptor, which stays the caller's.
    init(descriptor: CInt, isWritable: Bool) throws(StartFailure) {
        let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
        let base = mmap(nil, Self.byteCount, protection, MAP_SHARED, descriptor, 0)
        guard base != MAP_FAILED else { throw Self.failure("mmap") }
        memory = UnsafeMutableRawBufferPointer(start: base, count: Self.byteCount)
    }

    deinit { munmap(memory.baseAddress, memory.count) }

    /// A file for both sides to map. It closes on exec.
    static func makeFile() throws(StartFailure) -> CInt {
        let closeOnExec: CUnsignedInt = 0x1, allowSealing: CUnsignedInt = 0x2
        let descriptor = ops_memfd_create("opsd:object", closeOnExec | allowSealing)
        guard descriptor >= 0 else { throw failure("memfd_create") }
        guard ftruncate(descriptor, off_t(byteCount)) == 0, ops_seal_size(descriptor) == 0 else {
            let failure = failure("ftruncate")
            close(descriptor)
            throw failure
        }
        return descriptor
    }

    private static func failure(_ call: String) -> StartFailure {
        StartFailure("cannot share memory with the runtime: \(call): \(String(cString: strerror(errno)))")
    }

    /// The broker hands over an object. - Returns: false if it must go as text.
    func put(_ object: [UInt8]) -> Bool {
        guard !isTaken, object.count <= memory.count else { return false }
        isTaken = true
        memory.copyBytes(from: object)
        return true
    }

    /// The runtime has answered: it does not look at the object any more.
    func empty() { isTaken = false }

    /// The runtime takes a copy. - Returns: nil for a number of bytes that cannot lie here.
    func read(_ count: Int) -> [UInt8]? {
        guard (0...memory.count).contains(count) else { return nil }
        return Array(memory.prefix(count))
    }
}
