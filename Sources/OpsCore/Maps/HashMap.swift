import BPF
import Glibc
import Verifier

/// `BPF_MAP_TYPE_HASH` and `BPF_MAP_TYPE_LRU_HASH`.
///
/// As in the kernel, an update of a key that exists makes a new element and leaves the old one to whoever holds its
/// address; only BPF_F_LOCK changes a value in place. Differs: elements are walked in the order of their cells.
///
/// An LRU hash is never full. Differs from the kernel's, which keeps approximate lists for each CPU and evicts in
/// batches, also before `max_entries` is reached: here the element that a program looked up or that anybody updated
/// longest ago goes, exactly one, and only for a new key in a full map. Reads by user space and walks are no use.
///
/// Kernel counterpart: `htab_map_ops`, `htab_lru_map_ops`.
@safe final class HashMap: RuntimeMap {
    private let table: CellTable
    private let isLRU: Bool

    /// - Throws: ENOMEM beyond `limit` bytes.
    @unsafe init(
        _ description: MapDescription, index: Int, special: SpecialFields, limit: Int, seed: UInt64,
        memory: BlockMemory
    ) throws(OpsError) {
        isLRU = description.type == .lruHash
        table = try unsafe CellTable(
            name: description.name, keySize: description.keySize, valueSize: description.valueSize,
            capacity: description.maxEntries, evicts: isLRU, limit: limit, seed: seed,
            deferredCounter: memory.deferredCounter,
            // SAFETY: the table hands over the address of a value, and the timer lies in it.
            onUnlink: special.timerOffset.map { offset in { unsafe memory.timers.end(at: $0 + offset) } })
        super.init(description, index: index, special: special, memory: memory)
    }

    override var memoryCharge: Int { table.byteCount }
    override var count: Int { table.count }

    @unsafe override func lookupElement(_ key: UnsafeRawPointer, cpu: UInt32) -> UnsafeMutableRawPointer? {
        unsafe table.lookup(key)
    }

    @unsafe override func peekElement(_ key: UnsafeRawPointer) -> UnsafeMutableRawPointer? {
        unsafe table.lookup(key, isUse: false)
    }

    @unsafe override func updateElement(
        _ key: UnsafeRawPointer, value: UnsafeRawPointer, flags: UInt64, cpu: UInt32
    ) -> CInt {
        let code = isLRU && flags > UpdateFlag.exist ? EINVAL : checkUpdateFlags(flags)
        guard code == 0 else { return code }
        let (placed, refused) = unsafe table.place(key, flags: flags)
        guard let new = unsafe placed else { return refused }
        // SAFETY: both have valueSize bytes.
        unsafe special.copyData(from: value, to: new, count: description.valueSize)
        if flags & UpdateFlag.lock != 0 { unsafe endTimer(of: new) }
        return 0
    }

    @unsafe override func deleteElement(_ key: UnsafeRawPointer) -> CInt {
        unsafe table.remove(key) ? 0 : ENOENT
    }

    @unsafe override func forEachElement(
        cpu: UInt32, _ body: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Bool
    ) -> Int? {
        unsafe table.forEach(body)
    }

    override func isLive(valueAt address: UInt) -> Bool { table.liveCell(ofValueAt: address) != nil }

    @unsafe override func withKey(ofValueAt address: UInt, _ body: (UnsafeRawPointer) -> Void) {
        guard let cell = table.liveCell(ofValueAt: address) else { return }
        unsafe body(table.key(cell))
    }

    override func readableByteCount(from address: UInt) -> Int { table.readableByteCount(from: address) }
    override func quiesce() { table.quiesce() }

    override func takeOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] { try copyOutAndRemove(key) }

    override func keyAfter(_ key: [UInt8]?) throws(OpsError) -> [UInt8]? {
        table.keyAfter(key)
    }
}
