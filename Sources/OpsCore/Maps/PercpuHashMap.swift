import BPF
import Glibc
import Verifier

/// `BPF_MAP_TYPE_PERCPU_HASH` and `BPF_MAP_TYPE_LRU_PERCPU_HASH`: a hash whose elements have a value for each CPU.
///
/// A cell of the table holds all values of its key, one after the other. Unlike in a plain hash, an update of a key that
/// exists changes the values in place; a new element is zero on the CPUs that the update does not write. BPF_F_LOCK is
/// always refused: per-CPU values cannot hold a spin lock.
///
/// Eviction is that of `HashMap`. Kernel counterpart: `htab_percpu_map_ops`, `htab_lru_percpu_map_ops`.
@safe final class PercpuHashMap: RuntimeMap {
    private let table: CellTable
    private let stride: Int

    /// - Throws: ENOMEM beyond `limit` bytes.
    @unsafe init(
        _ description: MapDescription, index: Int, special: SpecialFields, cpus: Int, limit: Int,
        seed: UInt64, memory: BlockMemory
    ) throws(OpsError) {
        stride = description.valueStride
        table = try unsafe CellTable(
            name: description.name, keySize: description.keySize, valueSize: stride * cpus,
            capacity: description.maxEntries, evicts: description.type == .lruPercpuHash, limit: limit,
            seed: seed, deferredCounter: memory.deferredCounter)
        super.init(description, index: index, special: special, cpus: cpus, memory: memory)
    }

    override var memoryCharge: Int { table.byteCount }
    override var count: Int { table.count }
    override var syscallValueSize: Int { stride * cpus }

    // SAFETY of all below: an element has `cpus` values of `stride` bytes, and `cpuIndex` is below `cpus`.

    @unsafe override func lookupElement(_ key: UnsafeRawPointer, cpu: UInt32) -> UnsafeMutableRawPointer? {
        guard let values = unsafe table.lookup(key) else { return nil }
        return unsafe values + cpuIndex(cpu) * stride
    }

    @unsafe override func updateElement(
        _ key: UnsafeRawPointer, value: UnsafeRawPointer, flags: UInt64, cpu: UInt32
    ) -> CInt {
        let (values, code) = unsafe place(key, flags: flags)
        guard let values = unsafe values else { return code }
        let target = unsafe values + cpuIndex(cpu) * stride
        unsafe special.copyData(from: value, to: target, count: description.valueSize)
        return 0
    }

    @unsafe private func place(
        _ key: UnsafeRawPointer, flags: UInt64
    ) -> (values: UnsafeMutableRawPointer?, errno: CInt) {
        guard flags <= UpdateFlag.exist else { return (nil, EINVAL) }
        let placed = unsafe table.place(key, flags: flags, inPlace: true)
        return unsafe (placed.value, placed.errno)
    }

    @unsafe override func deleteElement(_ key: UnsafeRawPointer) -> CInt {
        unsafe table.remove(key) ? 0 : ENOENT
    }

    @unsafe override func forEachElement(
        cpu: UInt32, _ body: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Bool
    ) -> Int? {
        let offset = cpuIndex(cpu) * stride
        return unsafe table.forEach { key, values in unsafe body(key, values + offset) }
    }

    override func readableByteCount(from address: UInt) -> Int { table.readableByteCount(from: address) }
    override func quiesce() { table.quiesce() }

    override func copyOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] {
        let all: [UInt8]? = unsafe key.withUnsafeBytes { bytes in
            guard let key = bytes.baseAddress, let values = unsafe table.lookup(key, isUse: false) else {
                return nil
            }
            return unsafe copyOutAllCPUs { unsafe values + $0 * stride }
        }
        guard let all else { throw noSuchElement(key) }
        return all
    }

    override func copyIn(_ key: [UInt8], _ value: [UInt8], flags: UInt64) throws(OpsError) {
        let code: CInt = unsafe key.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return EINVAL }
            let (values, code) = unsafe place(base, flags: flags)
            guard let values = unsafe values else { return code }
            unsafe copyInAllCPUs(value) { unsafe values + $0 * stride }
            return 0
        }
        guard code == 0 else { throw error(code, "update of key \(hex(key))") }
    }

    override func takeOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] { try copyOutAndRemove(key) }

    override func keyAfter(_ key: [UInt8]?) throws(OpsError) -> [UInt8]? { table.keyAfter(key) }
}
