import Glibc

/// The bytes of one struct_ops value at a fixed address, zero at first, aligned as the kernel's (a cache line).
///
/// Invariant: `memory` is `byteCount` bytes owned here alone, from init to deinit. Writers are serialised by the
/// runtime's attach lock; readers in C follow the kernel's rule and see a member only after the value is published.
@safe final class ValueBuffer: @unchecked Sendable {
    static let alignment = 64
    let byteCount: Int
    private let memory: UnsafeMutableRawPointer

    init(byteCount: Int) {
        self.byteCount = byteCount
        unsafe memory = UnsafeMutableRawPointer.allocate(
            byteCount: max(byteCount, 8), alignment: Self.alignment)
        clear()
    }

    deinit { unsafe memory.deallocate() }

    func clear() {
        // SAFETY: all of the buffer, which has at least 8 bytes.
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: max(byteCount, 8))
    }

    func store(_ bytes: [UInt8], at offset: Int) {
        precondition(offset >= 0 && bytes.count <= byteCount - offset, "store outside the value")
        // SAFETY: inside the buffer, checked above.
        unsafe bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(start: memory + offset, count: bytes.count).copyMemory(
                from: source)
        }
    }

    func store(_ value: UInt64, at offset: Int) {
        store((0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }, at: offset)
    }

    func store(_ value: UInt32, at offset: Int) {
        store((0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }, at: offset)
    }

    func bytes(_ range: Range<Int>) -> [UInt8] {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "load outside the value")
        // SAFETY: inside the buffer, checked above.
        return unsafe [UInt8](UnsafeRawBufferPointer(start: memory + range.lowerBound, count: range.count))
    }

    /// Valid as long as the buffer.
    func address(at offset: Int) -> UnsafeRawPointer {
        precondition(offset >= 0 && offset < max(byteCount, 8), "address outside the value")
        return unsafe UnsafeRawPointer(memory + offset)
    }
}
