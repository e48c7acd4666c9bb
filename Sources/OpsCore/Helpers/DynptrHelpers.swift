import CShim
import Glibc

/// A `struct bpf_dynptr` on a program's stack: 16 bytes that only helpers write, as the verifier sees to.
///
/// Invariant: `data` is 0, or good for `size` bytes as long as the program may use the dynptr.
private struct LocalDynptr {
    /// DYNPTR_MAX_SIZE.
    static let sizeMax: UInt64 = (1 << 24) - 1

    var data: UInt64 = 0
    var size: UInt64 = 0

    init(data: UInt64 = 0, size: UInt64 = 0) {
        self.data = data
        self.size = size
    }

    // SAFETY of both: the verifier gives dynptrs 16 aligned bytes of stack.
    @unsafe init?(at address: UInt64) {
        guard let start = unsafe pointer(address) else { return nil }
        data = unsafe start.load(as: UInt64.self)
        size = unsafe start.load(fromByteOffset: 8, as: UInt64.self)
    }

    @unsafe func store(at address: UInt64) {
        guard let start = unsafe pointer(address) else { return }
        unsafe start.storeBytes(of: data, as: UInt64.self)
        unsafe start.storeBytes(of: size, toByteOffset: 8, as: UInt64.self)
    }

    /// `count` bytes from `offset` on; nil: some of them lie outside.
    @unsafe func slice(_ offset: UInt64, _ count: UInt64) -> UnsafeMutableRawPointer? {
        guard count <= size, offset <= size - count else { return nil }
        return unsafe pointer(data &+ offset)
    }
}

/// The kernel's prototypes have u32 for sizes and offsets.
private func narrow(_ value: UInt64) -> UInt64 { value & 0xffff_ffff }

extension HelperTable {
    /// Dynptrs of local memory and of ring buffer records.
    mutating func registerDynptrs() {
        unsafe register(197, "dynptr_from_mem") { data, size, flags, target, _, _ in
            let size = narrow(size)
            let code: CInt = size > LocalDynptr.sizeMax ? E2BIG : flags != 0 ? EINVAL : 0
            unsafe (code == 0 ? LocalDynptr(data: data, size: size) : LocalDynptr()).store(at: target)
            return HelperAnswer.status(code)
        }
        unsafe register(201, "dynptr_read") { target, count, source, offset, flags, _ in
            guard let source = unsafe LocalDynptr(at: source), source.data != 0, flags == 0 else {
                return HelperAnswer.error(EINVAL)
            }
            let count = narrow(count)
            guard let bytes = unsafe source.slice(narrow(offset), count) else {
                return HelperAnswer.error(E2BIG)
            }
            // SAFETY: both are good for `count` bytes; they may overlap.
            if let target = unsafe pointer(target) {
                unsafe target.copyMemory(from: bytes, byteCount: Int(count))
            }
            return 0
        }
        unsafe register(202, "dynptr_write") { target, offset, source, count, flags, _ in
            guard let target = unsafe LocalDynptr(at: target), target.data != 0 else {
                return HelperAnswer.error(EINVAL)
            }
            let count = narrow(count)
            guard let bytes = unsafe target.slice(narrow(offset), count) else {
                return HelperAnswer.error(E2BIG)
            }
            guard flags == 0 else { return HelperAnswer.error(EINVAL) }
            // SAFETY: as above.
            if let source = unsafe pointer(source) {
                unsafe bytes.copyMemory(from: source, byteCount: Int(count))
            }
            return 0
        }
        unsafe register(203, "dynptr_data") { source, offset, count, _, _, _ in
            guard let source = unsafe LocalDynptr(at: source), source.data != 0 else { return 0 }
            return unsafe HelperAnswer.address(source.slice(narrow(offset), narrow(count)))
        }
        registerRecordDynptrs()
    }

    private mutating func registerRecordDynptrs() {
        unsafe register(198, "ringbuf_reserve_dynptr") { map, size, flags, target, _, _ in
            let size = narrow(size)
            unsafe LocalDynptr().store(at: target)
            guard flags == 0 else { return HelperAnswer.error(EINVAL) }
            guard size <= LocalDynptr.sizeMax else { return HelperAnswer.error(E2BIG) }
            let record = unsafe withRingBuffer(map) { unsafe HelperAnswer.address($0.reserve(size)) } ?? 0
            guard record != 0 else { return HelperAnswer.error(EINVAL) }
            unsafe LocalDynptr(data: record, size: size).store(at: target)
            return 0
        }
        unsafe register(199, "ringbuf_submit_dynptr") { dynptr, _, _, _, _, block in
            unsafe finish(dynptr, discards: false, block)
        }
        unsafe register(200, "ringbuf_discard_dynptr") { dynptr, _, _, _, _, block in
            unsafe finish(dynptr, discards: true, block)
        }
    }
}

/// Ends the reservation behind a dynptr, if there is one; the dynptr is null afterwards.
@unsafe private func finish(
    _ address: UInt64, discards: Bool, _ block: UnsafeMutablePointer<ops_block>?
) -> UInt64 {
    guard let dynptr = unsafe LocalDynptr(at: address), dynptr.data != 0 else { return 0 }
    unsafe LocalDynptr().store(at: address)
    return unsafe endReservation(dynptr.data, discards: discards, block)
}
