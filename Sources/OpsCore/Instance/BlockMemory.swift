import CShim
import JIT

/// The memory of one instance block, shared by the instance and its maps, so that none of them outlives it.
///
/// Invariant: `start` is the address of `byteCount` bytes, at least the size of `ops_block`, as long as this lives.
@safe final class BlockMemory {
    private let region: MappedRegion
    /// The timers in values of the instance's maps.
    let timers = TimerTable()

    /// Asked by maps that grow; false: the owner of the instance may have no more bytes.
    var onGrowth: ((_ byteCount: Int) -> Bool)?

    /// - Throws: ENOMEM.
    init(byteCount: Int) throws(OpsError) {
        region = try MappedRegion(
            byteCount: max(byteCount, InstanceLayout.headByteCount), purpose: "instance block")
        // SAFETY: the region has room for the head; zeros are a valid one.
        unsafe block.initialize(to: ops_block())
    }

    var start: UnsafeMutableRawPointer { unsafe region.base }
    var address: UInt { region.address }

    /// The head. SAFETY: the only typed view of these bytes.
    var block: UnsafeMutablePointer<ops_block> { unsafe region.base.assumingMemoryBound(to: ops_block.self) }

    /// `ops_block.deferred`.
    var deferredCounter: UnsafeMutablePointer<UInt64> {
        // SAFETY: a field of the head.
        unsafe UnsafeMutableRawPointer(block).advanced(by: Self.deferredOffset).assumingMemoryBound(
            to: UInt64.self)
    }
    private static let deferredOffset = unsafe MemoryLayout<ops_block>.offset(of: \.deferred) ?? 0

    /// One more in `ops_block.records`.
    func noteRecord() { unsafe block.pointee.records &+= 1 }

    func contains(_ address: UInt) -> Bool { region.contains(address, count: 1) }
}
