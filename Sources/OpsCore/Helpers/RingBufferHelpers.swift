import CShim
import Glibc

/// BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP. The world's consumer reads at quiescence, so nobody needs waking.
private let wakeupFlags: UInt64 = 3

extension HelperTable {
    /// Ring buffers. Records are named by their address, so `submit` looks for the map that holds it.
    mutating func registerRingBuffers() {
        unsafe register(130, "ringbuf_output") { map, data, size, flags, _, _ in
            guard flags & ~wakeupFlags == 0 else { return HelperAnswer.error(EINVAL) }
            return unsafe withRingBuffer(map) { ring in
                // The kernel's prototype has a u64 here; the verifier bounds it by the memory at `data`.
                guard let record = unsafe ring.reserve(size) else { return HelperAnswer.error(EAGAIN) }
                if let data = unsafe pointer(data) {
                    // SAFETY: both have `size` bytes; a program may output a record it has reserved: memmove.
                    unsafe record.copyMemory(from: data, byteCount: Int(size))
                }
                let isCommitted = ring.commit(UInt(bitPattern: record), discards: false)
                return isCommitted ? 0 : HelperAnswer.error(EINVAL)
            } ?? HelperAnswer.error(EINVAL)
        }
        unsafe register(131, "ringbuf_reserve") { map, size, flags, _, _, _ in
            guard flags == 0 else { return 0 }
            return unsafe withRingBuffer(map) { unsafe HelperAnswer.address($0.reserve(size)) } ?? 0
        }
        unsafe register(132, "ringbuf_submit") { record, _, _, _, _, block in
            unsafe endReservation(record, discards: false, block)
        }
        unsafe register(133, "ringbuf_discard") { record, _, _, _, _, block in
            unsafe endReservation(record, discards: true, block)
        }
        unsafe register(134, "ringbuf_query") { map, what, _, _, _, _ in
            unsafe withRingBuffer(map) { $0.query(what) } ?? 0
        }
    }
}

/// As `withMap`; nil for a map of another type, which the verifier does not let through.
@inline(__always) @unsafe func withRingBuffer(
    _ handle: UInt64, _ body: (RingBufferMap) -> UInt64
) -> UInt64? {
    unsafe withMap(handle) { map in (map as? RingBufferMap).map(body) } ?? nil
}

/// Ends a reservation; what is none is left alone.
@unsafe func endReservation(
    _ record: UInt64, discards: Bool, _ block: UnsafeMutablePointer<ops_block>?
) -> UInt64 {
    guard let block = unsafe block, let instance = unsafe Instance.of(block) else { return 0 }
    _ = instance.ringBuffers.contains { $0.commit(UInt(record), discards: discards) }
    return 0
}
