import BPF
import CShim
import Glibc
import JIT
import Verifier

/// Makes the maps of an instance and writes their handles and first values into its block.
///
/// Invariant: `layout` was made for the descriptions given, and `memory` for `layout`; kept by `Instance.init`, the
/// only user.
struct MapFactory {
    let memory: BlockMemory
    let layout: InstanceLayout
    let btf: BTF?
    let configuration: Instance.Configuration

    /// - Throws: ENOMEM once the maps together exceed the configured limit.
    func makeAll(_ descriptions: [MapDescription]) throws(OpsError) -> [RuntimeMap] {
        var maps: [RuntimeMap] = []
        var left = configuration.memoryLimitBytes
        for (index, description) in descriptions.enumerated() {
            let map = try make(description, index: index, limit: left)
            left -= map.memoryCharge + map.timerCharge
            guard left >= 0 else { throw description.exceeds(configuration.memoryLimitBytes) }
            maps.append(map)
            // SAFETY: the slot's handle lies in the block. The instance keeps the map alive.
            let handle = UInt64(UInt(bitPattern: unsafe Unmanaged.passUnretained(map).toOpaque()))
            unsafe memory.start.storeBytes(
                of: handle, toByteOffset: layout.slots[index].handleOffset, as: UInt64.self)
        }
        return maps
    }

    private func make(_ description: MapDescription, index: Int, limit: Int) throws(OpsError) -> RuntimeMap {
        let special = SpecialFields(of: description, in: btf)
        let seed = configuration.seed
        if let name = special.unbuilt {
            throw OpsError(
                "unsupported", errno: EOPNOTSUPP, "map '\(description.name)': a \(name) in its values",
                at: description.location, reason: "nothing here keeps what such a field refers to")
        }
        if let name = special.malformed {
            throw OpsError(
                "map", errno: EINVAL,
                "map '\(description.name)': a \(name) of another size than the kernel's",
                at: description.location)
        }
        guard special.timerOffset == nil || [.hash, .lruHash, .array].contains(description.type) else {
            throw OpsError(
                "map", errno: EOPNOTSUPP, "map '\(description.name)': a bpf_timer in its values",
                at: description.location, reason: "only array, hash and lru_hash maps may hold timers")
        }
        switch description.type {
        case .array:
            guard let offset = layout.slots[index].dataOffset else { throw description.exceeds(limit) }
            return unsafe ArrayMap(
                description, index: index, special: special, memory: memory, dataOffset: offset)
        case .percpuArray:
            let map = try PercpuArrayMap(
                description, index: index, special: special, cpus: configuration.cpus, limit: limit,
                memory: memory)
            // SAFETY: the slot's base lies in the block. The instance keeps the map, and so its values, alive.
            if let offset = layout.slots[index].percpuBaseOffset {
                unsafe memory.start.storeBytes(
                    of: UInt64(map.valuesAddress), toByteOffset: offset, as: UInt64.self)
            }
            return map
        case .hash, .lruHash:
            return try unsafe HashMap(
                description, index: index, special: special, limit: limit, seed: seed,
                memory: memory)
        case .percpuHash, .lruPercpuHash:
            return try unsafe PercpuHashMap(
                description, index: index, special: special, cpus: configuration.cpus, limit: limit,
                seed: seed, memory: memory)
        case .queue, .stack:
            return try QueueStackMap(
                description, index: index, special: special, limit: limit, memory: memory)
        case .ringbuf:
            return try RingBufferMap(
                description, index: index, special: special, limit: limit, memory: memory)
        case .skStorage:
            return try unsafe SocketStorageMap(
                description, index: index, special: special, limit: limit, seed: seed,
                memory: memory)
        default:
            // `InstanceLayout.make` has refused it already.
            return RuntimeMap(
                description, index: index, special: special, cpus: configuration.cpus, memory: memory)
        }
    }

    /// First values: of global data from the object, of frozen maps their constants. Other bytes stay zero.
    func fill(_ descriptions: [MapDescription], with contents: [Int: [UInt8]]) throws(OpsError) {
        for (index, description) in descriptions.enumerated() {
            guard let bytes = contents[index] ?? description.constants, !bytes.isEmpty else { continue }
            let room = description.isInline ? description.valueStride * description.maxEntries : 0
            guard let offset = layout.slots[index].dataOffset, bytes.count <= room else {
                throw OpsError(
                    "map", errno: EINVAL, "map '\(description.name)': \(bytes.count) bytes of first values",
                    at: description.location, reason: "there is room for \(room)")
            }
            // SAFETY: `room` bytes from `offset` belong to this map.
            unsafe bytes.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(start: memory.start + offset, count: room).copyMemory(
                    from: source)
            }
        }
    }
}
