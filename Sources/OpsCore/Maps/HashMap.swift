import Glibc
import Verifier

/// `BPF_MAP_TYPE_HASH`.
///
/// As in the kernel, an update of a key that exists makes a new element and leaves the old one to whoever holds its
/// address; only BPF_F_LOCK changes a value in place. Differs: elements are walked in the order of their cells.
/// Kernel counterpart: `htab_map_ops`.
@safe final class HashMap: RuntimeMap {
    private let table: CellTable

    /// - Throws: ENOMEM beyond `limit` bytes.
    @unsafe init(
        _ description: MapDescription, index: Int, special: SpecialFields, limit: Int, seed: UInt64,
        memory: BlockMemory
    ) throws(OpsError) {
        table = try unsafe CellTable(
            name: description.name, keySize: description.keySize, valueSize: description.valueSize,
            capacity: description.maxEntries, limit: limit, seed: seed,
            deferredCounter: memory.deferredCounter)
        super.init(description, index: index, special: special, memory: memory)
    }

    override var memoryCharge: Int { table.byteCount }
    override var count: Int { table.count }

    @unsafe override func lookupElement(_ key: UnsafeRawPointer, cpu: UInt32) -> UnsafeMutableRawPointer? {
        unsafe table.lookup(key)
    }

    @unsafe override func updateElement(
        _ key: UnsafeRawPointer, value: UnsafeRawPointer, flags: UInt64, cpu: UInt32
    ) -> CInt {
        let code = checkUpdateFlags(flags)
        guard code == 0 else { return code }
        let (placed, refused) = unsafe table.place(key, flags: flags)
        guard let new = unsafe placed else { return refused }
        // SAFETY: both have valueSize bytes.
        unsafe special.copyData(from: value, to: new, count: description.valueSize)
        return 0
    }

    @unsafe override func deleteElement(_ key: UnsafeRawPointer) -> CInt {
        unsafe table.remove(key) ? 0 : ENOENT
    }

    @unsafe override func forEachElement(
        cpu: UInt32, _ body: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Bool
    ) -> Int? {
        // Elements that `body` adds beyond this are not visited, so a body that adds one per turn ends too.
        let end = table.endCell
        var turns = 0
        var next: UInt32 = 0
        // SAFETY: addresses of live cells are handed on for the time of one call.
        while let cell = unsafe table.liveCell(from: next, before: end) {
            turns += 1
            next = unsafe cell.number + 1
            guard unsafe body(cell.key, cell.value) else { break }
        }
        return turns
    }

    override func readableByteCount(from address: UInt) -> Int { table.readableByteCount(from: address) }
    override func quiesce() { table.quiesce() }

    override func keyAfter(_ key: [UInt8]?) throws(OpsError) -> [UInt8]? {
        // SAFETY: the key has keySize bytes (checked by the caller), and so has the one found.
        unsafe (key ?? []).withUnsafeBytes { bytes in
            var start: UInt32 = 0
            if let base = bytes.baseAddress, key != nil, let cell = unsafe table.cell(of: base) {
                start = cell + 1
            }
            guard let next = unsafe table.liveCell(from: start, before: .max) else { return nil }
            return unsafe [UInt8](UnsafeRawBufferPointer(start: next.key, count: description.keySize))
        }
    }
}
