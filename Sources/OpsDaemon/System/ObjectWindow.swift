import CShim
import ControlAPI
import Glibc

/// Memory that the broker shares with one runtime, in which an object file passes from one to the other: as text in a
/// request, a megabyte would be written, sent, received, searched and copied several times over.
///
/// It has two panes of one object each: while the runtime works on one, the next comes into the other. More would wait for
/// the one thread that registers all the same. The broker never reads what lies here, for the runtime may have been damaged
/// by what ran in it; and the size is sealed, so that nothing the runtime does can take pages away under the broker.
///
/// Invariant: `memory` is one shared mapping of `byteCount` bytes, which lives as long as the window.
///
/// Unchecked: the broker writes to a pane for one request at a time, and the runtime reads it for that one only.
final class ObjectWindow: @unchecked Sendable {
    static let panes = 0..<2
    /// No request has a larger object: this is what its base 64 decodes to. Memory is taken only as it is written.
    static let paneByteCount = FrameSplitter.requestBytesMax / 4 * 3
    private static let byteCount = panes.count * paneByteCount

    /// Most objects are smaller.
    private static let usualByteCount = 1 << 20

    private let memory: UnsafeMutableRawBufferPointer

    /// Maps the file behind a descriptor, which stays the caller's.
    init(descriptor: CInt, isWritable: Bool) throws(StartFailure) {
        let protection = isWritable ? PROT_READ | PROT_WRITE : PROT_READ
        let base = mmap(nil, Self.byteCount, protection, MAP_SHARED, descriptor, 0)
        guard base != MAP_FAILED else { throw Self.failure("mmap") }
        memory = UnsafeMutableRawBufferPointer(start: base, count: Self.byteCount)
        // Pages for most objects are there before somebody waits for them. Kernels before 5.14 make them when they are touched.
        let populateReading: CInt = 22, populateWriting: CInt = 23
        for pane in Self.panes {
            madvise(
                base.map { $0 + pane * Self.paneByteCount }, Self.usualByteCount,
                isWritable ? populateWriting : populateReading)
        }
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

    /// The broker hands over an object, or a part that follows others, on any thread, but one at a time.
    /// - Precondition: it ends inside the pane.
    func put(_ part: UnsafeBufferPointer<UInt8>, at offset: Int = 0, in pane: Int) {
        UnsafeMutableRawBufferPointer(rebasing: self.pane(pane)[offset...]).copyBytes(from: part)
    }

    static func canHold(_ count: Int) -> Bool { (0...paneByteCount).contains(count) }

    /// The runtime takes a copy.
    /// - Precondition: `canHold(count)`.
    func read(_ count: Int, in pane: Int) -> [UInt8] { Array(self.pane(pane).prefix(count)) }

    /// - Precondition: it is one of `panes`.
    private func pane(_ index: Int) -> UnsafeMutableRawBufferPointer {
        let start = index * Self.paneByteCount
        return UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + Self.paneByteCount])
    }
}
