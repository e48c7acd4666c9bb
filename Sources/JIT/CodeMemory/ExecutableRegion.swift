import CShim
import Glibc
import Synchronization

/// Sealed machine code: one read+execute mapping of a memory file that nobody can write any more.
///
/// Invariant: `base ..< base + byteCount` is one MAP_SHARED mapping of a memfd with all write seals, owned here alone.
/// Who keeps it: `init` seals before it maps and closes the only descriptor; nothing else calls mmap in this target.
/// If it broke, a stray write could become code; so the service could not run under `MemoryDenyWriteExecute=yes`.
///
/// MAP_SHARED matters: a private mapping could be made writable again by mprotect (as a copy) and written through
/// /proc/self/mem; a shared one of a write-sealed file refuses both.
/// `@unchecked Sendable`: immutable after `init`.
@safe
struct ExecutableRegion: ~Copyable, @unchecked Sendable {
    /// What unused bytes hold, so that straying into them ends the process: `int3`, or on AArch64 `udf #0`.
    static let filler: UInt8 = Architecture.host == .aarch64 ? 0 : 0xcc

    let base: UnsafeRawPointer
    /// A multiple of the page size.
    let byteCount: Int
    /// Bytes on either side that nobody can access.
    private let guardByteCount: Int

    /// Writes `code` into a fresh memory file, seals it and maps it.
    ///
    /// - Parameter isGuarded: between two pages of address space that hold nothing.
    /// - Throws: `CodeMemoryError`; nothing is left behind then.
    init(code: [UInt8], name: String, isGuarded: Bool = false) throws(CodeMemoryError) {
        let pageSize = Int(sysconf(CInt(_SC_PAGESIZE)))
        let pages = max(1, (code.count + pageSize - 1) / pageSize)
        var file = try MemoryFile(name: name, byteCount: pages * pageSize)
        try file.resize()
        try file.write(code, filler: ExecutableRegion.filler)
        try file.seal()
        let guards = isGuarded ? pageSize : 0
        unsafe base = try file.mapExecutable(guardByteCount: guards)
        guardByteCount = guards
        byteCount = pages * pageSize
        CodeMemoryUse.add(bytes: byteCount)
    }

    deinit {
        // SAFETY: the mapping is ours and whoever owns the region has seen to it that nobody runs in it any more.
        unsafe munmap(
            UnsafeMutableRawPointer(mutating: base - guardByteCount), byteCount + 2 * guardByteCount)
        CodeMemoryUse.remove(bytes: byteCount)
    }

    /// Address of the code at `offset`; valid as long as the region lives.
    func address(at offset: Int) -> UnsafeRawPointer {
        precondition(offset >= 0 && offset < byteCount, "offset \(offset) outside 0..<\(byteCount)")
        // SAFETY: inside the mapping, checked above.
        return unsafe base + offset
    }
}

/// How much executable memory is alive in this process; what leak tests look at.
package enum CodeMemoryUse {
    private static let units = Atomic<Int>(0)
    private static let bytes = Atomic<Int>(0)

    package static var liveUnits: Int { units.load(ordering: .relaxed) }
    /// A multiple of the page size.
    package static var liveBytes: Int { bytes.load(ordering: .relaxed) }

    static func add(bytes count: Int) {
        units.add(1, ordering: .relaxed)
        bytes.add(count, ordering: .relaxed)
    }

    static func remove(bytes count: Int) {
        units.subtract(1, ordering: .relaxed)
        bytes.subtract(count, ordering: .relaxed)
    }
}
