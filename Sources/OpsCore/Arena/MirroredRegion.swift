import CShim
import Glibc

/// Zeroed memory that is mapped twice in a row, so that what runs over its end goes on at its start in one piece.
///
/// ```
/// ├─ guard, 64 KiB ─┼─ byteCount bytes ─┼─ the same bytes ─┼─ guard, 64 KiB ─┤
/// ```
/// Invariant: `base ..< base + 2 * byteCount` is readable and writable, owned by this value alone; byte `i` and byte
/// `i + byteCount` are one. Kept by: `init`, the only place that maps; `deinit`, the only one that unmaps. If broken:
/// use after unmap.
@safe struct MirroredRegion: ~Copyable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int
    /// The whole mapping, guards included.
    private let mapping: UnsafeMutableRawPointer
    private let mappingByteCount: Int

    /// - Parameter byteCount: a multiple of the page size, at most 2^31.
    /// - Throws: ENOMEM, EMFILE; EINVAL for another size.
    init(byteCount: Int, purpose: String) throws(OpsError) {
        let page = Int(sysconf(CInt(_SC_PAGESIZE)))
        guard byteCount > 0, byteCount <= 1 << 31, byteCount.isMultiple(of: page) else {
            throw OpsError(
                "memory", errno: EINVAL, "\(purpose): \(byteCount) bytes",
                reason: "expected a multiple of the page size, \(page), up to 2 GiB")
        }
        let file = unsafe ops_memfd_create("opsd:ring", 1)  // MFD_CLOEXEC
        guard file >= 0 else { throw Self.failure("memfd_create", purpose, byteCount) }
        // The mappings keep the memory; nobody needs the descriptor.
        defer { close(file) }
        guard ftruncate(file, byteCount) == 0 else { throw Self.failure("ftruncate", purpose, byteCount) }

        let total = 2 * byteCount + 2 * MappedRegion.guardByteCount
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory of ours.
        guard let mapping = unsafe mmap(nil, total, PROT_NONE, flags, -1, 0), unsafe mapping != MAP_FAILED
        else { throw Self.failure("mmap", purpose, byteCount) }
        // SAFETY: both copies lie inside the mapping just made, which nobody else knows.
        let base = unsafe mapping + MappedRegion.guardByteCount
        for copy in 0..<2 {
            let start = unsafe base + copy * byteCount
            let shared = MAP_SHARED | MAP_FIXED
            let made = unsafe mmap(start, byteCount, PROT_READ | PROT_WRITE, shared, file, 0)
            guard unsafe made == start else {
                let error = Self.failure("mmap", purpose, byteCount)
                unsafe munmap(mapping, total)
                throw error
            }
        }
        unsafe self.base = base
        self.byteCount = byteCount
        unsafe self.mapping = mapping
        mappingByteCount = total
    }

    deinit {
        // SAFETY: exactly the mapping made by `init`; the owner is gone, so nobody refers to it.
        unsafe munmap(mapping, mappingByteCount)
    }

    var address: UInt { unsafe UInt(bitPattern: base) }

    private static func failure(_ step: String, _ purpose: String, _ byteCount: Int) -> OpsError {
        OpsError(
            "memory", errno: errno, "\(purpose): cannot get \(byteCount) bytes of memory",
            reason: "\(step): errno \(errno)")
    }
}
