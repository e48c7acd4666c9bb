import CShim
import Glibc

/// BPF_MAX_VAR_SIZ: no memory that the verifier proves to a helper is larger.
private let sizeMax = 1 << 29

extension HelperTable {
    /// Copies, comparisons and locks.
    mutating func registerMemory() {
        unsafe register(113, "probe_read_kernel") { target, size, source, _, _, block in
            let size = Int(size & 0xffff_ffff)
            guard let target = unsafe pointer(target), (1...sizeMax).contains(size) else {
                return size == 0 ? 0 : HelperAnswer.error(EINVAL)
            }
            guard let source = unsafe readable(source, count: size, block) else {
                // The kernel zeroes what it could not fill.
                unsafe target.initializeMemory(as: UInt8.self, repeating: 0, count: size)
                return HelperAnswer.error(EFAULT)
            }
            unsafe target.copyMemory(from: source, byteCount: size)
            return 0
        }
        unsafe register(115, "probe_read_kernel_str") { target, size, source, _, _, block in
            let size = Int(size & 0xffff_ffff)
            guard let target = unsafe pointer(target), (1...sizeMax).contains(size) else { return 0 }
            let string = unsafe readString(source, limit: size - 1, block)
            unsafe target.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            guard let string else { return HelperAnswer.error(EFAULT) }
            // SAFETY: at most size - 1 bytes, then a NUL that is there already.
            unsafe string.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                unsafe target.copyMemory(from: base, byteCount: bytes.count)
            }
            return UInt64(string.count) + 1
        }
        unsafe register(182, "strncmp") { first, size, second, _, _, _ in
            guard let first = unsafe pointer(first), let second = unsafe pointer(second) else { return 0 }
            // SAFETY: `first` is good for `size` bytes and `second` ends with a NUL; the loop stops at the first byte
            // that differs or ends both.
            for at in 0..<min(Int(size & 0xffff_ffff), sizeMax) {
                let a = unsafe first.load(fromByteOffset: at, as: UInt8.self)
                let b = unsafe second.load(fromByteOffset: at, as: UInt8.self)
                if a != b { return a < b ? UInt64.max : 1 }
                if a == 0 { break }
            }
            return 0
        }
        // One thread runs a world, so nobody ever waits; the field shows who holds it, to the map's copies and to
        // whoever debugs.
        unsafe register(93, "spin_lock") { lock, _, _, _, _, _ in
            unsafe pointer(lock)?.storeBytes(of: 1, as: UInt32.self)
            return 0
        }
        unsafe register(94, "spin_unlock") { lock, _, _, _, _, _ in
            unsafe pointer(lock)?.storeBytes(of: 0, as: UInt32.self)
            return 0
        }
    }
}

/// `count` bytes at an address that a program made up; nil unless all of them are the world's or the program's own.
@unsafe func readable(
    _ address: UInt64, count: Int, _ block: UnsafeMutablePointer<ops_block>?
) -> UnsafeRawPointer? {
    guard let block = unsafe block, count >= 0 else { return nil }
    // Most are fields of BTF objects. SAFETY: the arena is readable as a whole.
    let offset = unsafe address &- block.pointee.arena_base
    let size = unsafe block.pointee.arena_size
    if offset < size, UInt64(count) <= size - offset { return unsafe UnsafeRawPointer(pointer(address)) }
    guard let instance = unsafe Instance.of(block), instance.readableByteCount(from: UInt(address)) >= count
    else { return nil }
    return unsafe UnsafeRawPointer(pointer(address))
}

/// The bytes of a string at an address that a program made up, without its NUL and cut to `limit`; nil if it does not
/// start in memory of the world or of the program, or ends outside.
@unsafe func readString(_ address: UInt64, limit: Int, _ block: UnsafeMutablePointer<ops_block>?) -> [UInt8]?
{
    guard let block = unsafe block, let instance = unsafe Instance.of(block) else { return nil }
    let count = min(limit, instance.readableByteCount(from: UInt(address)))
    guard let start = unsafe pointer(address), count > 0 || limit == 0 else { return nil }
    var string: [UInt8] = []
    for at in 0..<count {
        // SAFETY: `count` bytes are readable.
        let byte = unsafe start.load(fromByteOffset: at, as: UInt8.self)
        if byte == 0 { return string }
        string.append(byte)
    }
    return count == limit ? string : nil
}
