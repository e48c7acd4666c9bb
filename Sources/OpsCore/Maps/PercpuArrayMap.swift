import Glibc
import Verifier

/// `BPF_MAP_TYPE_PERCPU_ARRAY`: an array for each CPU of the world. A program sees the values of the CPU it runs on;
/// user space sees all of them, one after the other, each padded to 8 bytes.
///
/// Kernel counterpart: `percpu_array_map_ops`.
@safe final class PercpuArrayMap: RuntimeMap {
    /// CPU 0's values, then CPU 1's, and so on.
    private let region: MappedRegion
    private let stride: Int
    private let entryCount: UInt32

    /// - Throws: ENOMEM if the values of all CPUs together exceed `limit` bytes, or the system has no memory.
    init(
        _ description: MapDescription, index: Int, special: SpecialFields, cpus: Int, limit: Int,
        memory: BlockMemory
    ) throws(OpsError) {
        stride = description.valueStride
        entryCount = UInt32(clamping: description.maxEntries)
        let (values, overflow) = stride.multipliedReportingOverflow(by: description.maxEntries)
        let (total, overflowed) = values.multipliedReportingOverflow(by: cpus)
        guard !overflow, !overflowed, total <= limit else {
            throw description.exceeds(limit, cpus: cpus)
        }
        region = try MappedRegion(byteCount: total, purpose: "map '\(description.name)'")
        super.init(description, index: index, special: special, cpus: cpus, memory: memory)
    }

    /// Of CPU 0's first value, for compiled code: see `InstanceLayout.MapSlot.percpuBaseOffset`.
    var valuesAddress: UInt { region.address }
    override var memoryCharge: Int { region.byteCount }
    override var syscallValueSize: Int { stride * cpus }

    @unsafe override func lookupElement(_ key: UnsafeRawPointer, cpu: UInt32) -> UnsafeMutableRawPointer? {
        // SAFETY: keys of arrays are 4 bytes; checked at creation.
        let position = unsafe key.loadUnaligned(as: UInt32.self)
        guard position < entryCount else { return nil }
        return unsafe element(position, cpu: cpuIndex(cpu))
    }

    @unsafe private func element(_ position: UInt32, cpu: Int) -> UnsafeMutableRawPointer {
        // SAFETY: position < entryCount and cpu < cpus, so this lies in the region.
        unsafe region.base + (cpu * Int(entryCount) + Int(position)) * stride
    }

    @unsafe override func updateElement(
        _ key: UnsafeRawPointer, value: UnsafeRawPointer, flags: UInt64, cpu: UInt32
    ) -> CInt {
        // Per-CPU values cannot hold a spin lock, so BPF_F_LOCK is always refused here.
        guard flags <= UpdateFlag.exist else { return EINVAL }
        guard let target = unsafe lookupElement(key, cpu: cpu) else { return E2BIG }
        guard flags != UpdateFlag.noExist else { return EEXIST }
        // SAFETY: both have valueSize bytes.
        unsafe special.copyData(from: value, to: target, count: description.valueSize)
        return 0
    }

    @unsafe override func deleteElement(_ key: UnsafeRawPointer) -> CInt { EINVAL }

    @unsafe override func forEachElement(
        cpu: UInt32, _ body: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Bool
    ) -> Int? {
        for position in 0..<entryCount {
            var key = position
            // SAFETY: the key lives in `key` for the time of the call; the value lies inside the region.
            let goesOn = unsafe withUnsafeBytes(of: &key) { bytes in
                guard let base = bytes.baseAddress else { return false }
                return unsafe body(base, element(position, cpu: cpuIndex(cpu)))
            }
            guard goesOn else { return Int(position) + 1 }
        }
        return Int(entryCount)
    }

    override func readableByteCount(from address: UInt) -> Int {
        let offset = address &- region.address
        guard offset < UInt(region.byteCount) else { return 0 }
        return stride - Int(offset) % stride
    }

    override func copyOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] {
        let position = ArrayKey.position(key)
        guard position < entryCount else { throw noSuchElement(key) }
        // SAFETY: position < entryCount.
        return unsafe copyOutAllCPUs { unsafe element(position, cpu: $0) }
    }

    override func copyIn(_ key: [UInt8], _ value: [UInt8], flags: UInt64) throws(OpsError) {
        guard flags <= UpdateFlag.exist else { throw error(EINVAL, "update: flags \(flags)") }
        let position = ArrayKey.position(key)
        guard position < entryCount else { throw error(E2BIG, "update of key \(hex(key))") }
        guard flags != UpdateFlag.noExist else { throw error(EEXIST, "update of key \(hex(key))") }
        // SAFETY: position < entryCount, and `value` has cpus * stride bytes (checked by the caller).
        unsafe copyInAllCPUs(value) { unsafe element(position, cpu: $0) }
    }

    override func keyAfter(_ key: [UInt8]?) throws(OpsError) -> [UInt8]? {
        ArrayKey.after(key, count: entryCount)
    }
}

extension MapDescription {
    func exceeds(_ limit: Int, cpus: Int = 1) -> OpsError {
        OpsError(
            "memory", errno: ENOMEM, "map '\(name)': needs more than \(limit) bytes", at: location,
            reason: "max_entries \(maxEntries), key \(keySize), value \(valueSize)"
                + (cpus > 1 ? ", \(cpus) CPUs" : ""))
    }
}
