import Glibc

/// Zeroed private memory between two ranges that nobody may touch.
///
/// ```
/// ├─ guard, 64 KiB ─┼─ base … base + byteCount ─ rest of the page ─┼─ guard, 64 KiB ─┤
/// ```
/// Pages are taken from the system when first touched, so a large region costs address space only.
///
/// Invariant: `base ..< base + byteCount` is one readable and writable mapping, owned by this value alone.
/// Kept by: `init`, the only place that maps; `deinit`, the only one that unmaps. If broken: use after unmap.
@safe package struct MappedRegion: ~Copyable {
    package let base: UnsafeMutableRawPointer
    package let byteCount: Int
    /// The whole mapping, guards included.
    private let mapping: UnsafeMutableRawPointer
    private let mappingByteCount: Int

    /// A multiple of every page size that Linux uses on the supported machines.
    package static let guardByteCount = 65536
    /// More than any region here needs; keeps sums of sizes far from overflow.
    package static let byteCountMax = 1 << 40

    /// - Throws: ENOMEM if `byteCount` is not in `1 ... byteCountMax` or the system refuses.
    package init(byteCount: Int, purpose: String) throws(OpsError) {
        guard byteCount > 0, byteCount <= Self.byteCountMax else {
            throw Self.noMemory(byteCount, purpose, reason: "sizes are 1 to \(Self.byteCountMax) bytes")
        }
        let page = Int(sysconf(CInt(_SC_PAGESIZE)))
        let body = (byteCount + page - 1) / page * page
        let total = body + 2 * Self.guardByteCount
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no memory of ours.
        guard let mapping = unsafe mmap(nil, total, PROT_NONE, flags, -1, 0), unsafe mapping != MAP_FAILED
        else {
            throw Self.noMemory(byteCount, purpose, reason: "mmap: errno \(errno)")
        }
        // SAFETY: `body` bytes from there lie inside the mapping just made.
        let base = unsafe mapping + Self.guardByteCount
        guard unsafe mprotect(base, body, PROT_READ | PROT_WRITE) == 0 else {
            let code = errno
            unsafe munmap(mapping, total)
            throw Self.noMemory(byteCount, purpose, reason: "mprotect: errno \(code)")
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

    package var address: UInt { unsafe UInt(bitPattern: base) }

    /// Whether `count` bytes at `address` lie in the region.
    package func contains(_ address: UInt, count: Int) -> Bool {
        guard count >= 0, count <= byteCount else { return false }
        let offset = address &- self.address
        return offset <= UInt(byteCount - count)
    }

    private static func noMemory(_ byteCount: Int, _ purpose: String, reason: String) -> OpsError {
        OpsError(
            "memory", errno: ENOMEM, "\(purpose): cannot get \(byteCount) bytes of memory", reason: reason)
    }
}
