import BPF
import Glibc
package import Verifier

extension MapDescription {
    /// KMALLOC_MAX_SIZE of a kernel with 4 KiB pages: key and value of a hash element together stay below it.
    package static let elementByteCountMax = 4 << 20
    /// PCPU_MIN_UNIT_SIZE: most bytes of one per-CPU value.
    package static let percpuValueByteCountMax = 32 << 10
    /// Kernel: U16_MAX less the element's header.
    package static let storageValueByteCountMax = 0xffff - 128
    package static let entryCountMax = Int(UInt32.max)

    /// Refuses what `BPF_MAP_CREATE` refuses, and by name what is not built here.
    ///
    /// - Throws: EINVAL, E2BIG as the kernel does (`array_map_alloc_check`, `htab_map_alloc_check`,
    ///   `bpf_local_storage_map_alloc_check`); code `unsupported` for other map types.
    package func checkCreation(cpus: Int) throws(OpsError) {
        guard (1...4096).contains(cpus) else {
            throw invalid("the world has \(cpus) CPUs", "a world has 1 to 4096 CPUs")
        }
        switch type {
        case .array: try checkArray(allowing: [.numaNode, .mmapable, .innerMap, .access])
        case .percpuArray:
            try checkArray(allowing: [.numaNode, .access])
            guard valueSize <= Self.percpuValueByteCountMax else {
                throw tooBig("value_size \(valueSize)", limit: Self.percpuValueByteCountMax)
            }
        case .hash: try checkHash(allowing: [.noPrealloc])
        case .percpuHash:
            try checkHash(allowing: [.noPrealloc])
            try checkPercpuHash()
        case .lruHash: try checkHash(allowing: [.noCommonLRU])
        case .lruPercpuHash:
            try checkHash(allowing: [.noCommonLRU])
            try checkPercpuHash()
        case .queue, .stack: try checkQueue()
        case .ringbuf: try checkRingBuffer()
        case .skStorage: try checkStorage()
        default:
            throw OpsError(
                "unsupported", errno: OpsError.enotsupp, "map '\(name)': type \(type.name) is not built here",
                at: location,
                reason:
                    "map types that run: array, percpu_array, hash, percpu_hash, lru_hash, lru_percpu_hash, "
                    + "queue, stack, ringbuf, sk_storage, and global data")
        }
        let access = MapFlags(rawValue: flags)
        if access.isSuperset(of: [.readOnly, .writeOnly])
            || access.isSuperset(of: [.readOnlyProgram, .writeOnlyProgram])
        {
            throw invalid("map_flags \(hex(flags))", "a map cannot be read-only and write-only at once")
        }
    }

    private func checkArray(allowing allowed: MapFlags) throws(OpsError) {
        try checkFlags(allowing: allowed)
        guard keySize == 4 else { throw invalid("key_size \(keySize)", "keys of an array are 4 bytes") }
        try checkEntries()
        guard valueSize > 0 else { throw invalid("value_size \(valueSize)", "a value takes at least 1 byte") }
        guard valueSize <= Int(Int32.max) else {
            throw tooBig("value_size \(valueSize)", limit: Int(Int32.max))
        }
    }

    private func checkHash(allowing allowed: MapFlags) throws(OpsError) {
        if type == .lruHash || type == .lruPercpuHash, MapFlags(rawValue: flags).contains(.noPrealloc) {
            throw OpsError(
                "map", errno: OpsError.enotsupp, "map '\(name)': map_flags \(hex(flags))", at: location,
                reason: "an LRU hash takes its elements from a fixed stock: BPF_F_NO_PREALLOC has no meaning")
        }
        try checkFlags(allowing: allowed.union([.numaNode, .zeroSeed, .access]))
        guard keySize > 0 else { throw invalid("key_size \(keySize)", "a key takes at least 1 byte") }
        guard valueSize > 0 else { throw invalid("value_size \(valueSize)", "a value takes at least 1 byte") }
        try checkEntries()
        let (sum, overflow) = keySize.addingReportingOverflow(valueSize)
        guard !overflow, sum < Self.elementByteCountMax else {
            throw tooBig("key_size \(keySize) + value_size \(valueSize)", limit: Self.elementByteCountMax)
        }
    }

    private func checkPercpuHash() throws(OpsError) {
        guard valueStride <= Self.percpuValueByteCountMax else {
            throw tooBig("value_size \(valueSize)", limit: Self.percpuValueByteCountMax)
        }
    }

    private func checkQueue() throws(OpsError) {
        try checkFlags(allowing: [.numaNode, .access])
        guard keySize == 0 else { throw invalid("key_size \(keySize)", "a \(type.name) has no keys") }
        guard valueSize > 0 else { throw invalid("value_size \(valueSize)", "a value takes at least 1 byte") }
        try checkEntries()
        guard valueSize <= Self.elementByteCountMax else {
            throw tooBig("value_size \(valueSize)", limit: Self.elementByteCountMax)
        }
    }

    private func checkRingBuffer() throws(OpsError) {
        try checkFlags(allowing: [.numaNode])
        guard keySize == 0, valueSize == 0 else {
            throw invalid(
                "key_size \(keySize), value_size \(valueSize)", "a ringbuf has neither keys nor values")
        }
        let page = sysconf(CInt(_SC_PAGESIZE))
        guard maxEntries > 0, maxEntries & (maxEntries - 1) == 0, maxEntries.isMultiple(of: page) else {
            throw invalid(
                "max_entries \(maxEntries)",
                "the size of a ringbuf is a power of two and whole pages of \(page)")
        }
    }

    private func checkStorage() throws(OpsError) {
        try checkFlags(allowing: [.noPrealloc, .clone])
        guard MapFlags(rawValue: flags).contains(.noPrealloc) else {
            throw invalid("map_flags \(hex(flags))", "sk_storage needs BPF_F_NO_PREALLOC")
        }
        guard maxEntries == 0 else {
            throw invalid("max_entries \(maxEntries)", "sk_storage grows with the sockets: max_entries is 0")
        }
        guard keySize == 4 else { throw invalid("key_size \(keySize)", "keys of sk_storage are 4 bytes") }
        guard valueSize > 0 else { throw invalid("value_size \(valueSize)", "a value takes at least 1 byte") }
        guard keyType != nil, valueType != nil else {
            throw invalid("no BTF of key and value", "sk_storage needs the types of both")
        }
        guard valueSize <= Self.storageValueByteCountMax else {
            throw tooBig("value_size \(valueSize)", limit: Self.storageValueByteCountMax)
        }
    }

    private func checkEntries() throws(OpsError) {
        guard (1...Self.entryCountMax).contains(maxEntries) else {
            throw invalid("max_entries \(maxEntries)", "it is 1 to \(Self.entryCountMax)")
        }
    }

    private func checkFlags(allowing allowed: MapFlags) throws(OpsError) {
        let unknown = flags & ~allowed.rawValue
        guard unknown == 0 else {
            throw invalid("map_flags \(hex(flags))", "bits \(hex(unknown)) have no meaning for \(type.name)")
        }
    }

    var location: OpsError.Location { OpsError.Location(map: name) }

    private func invalid(_ what: String, _ reason: String) -> OpsError {
        OpsError("map", errno: EINVAL, "map '\(name)': \(what)", at: location, reason: reason)
    }

    private func tooBig(_ what: String, limit: Int) -> OpsError {
        OpsError("map", errno: E2BIG, "map '\(name)': \(what)", at: location, reason: "the limit is \(limit)")
    }

    private func hex(_ value: UInt32) -> String { "0x" + String(value, radix: 16) }
}
