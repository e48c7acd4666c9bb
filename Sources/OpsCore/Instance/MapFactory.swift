import BPF
import CShim
import Glibc
import JIT
import Verifier

/// Makes the maps of an instance and writes their handles and first values into its block.
///
/// Invariant: `memory` has `layout.byteCount` bytes, and `layout` was made for the descriptions given; both are kept
/// by `Instance.init`, the only user.
@safe struct MapFactory {
    let memory: UnsafeMutableRawPointer
    let block: UnsafeMutablePointer<ops_block>
    let layout: InstanceLayout
    let btf: BTF?
    let configuration: Instance.Configuration

    @unsafe init(
        memory: UnsafeMutableRawPointer, block: UnsafeMutablePointer<ops_block>, layout: InstanceLayout,
        btf: BTF?,
        configuration: Instance.Configuration
    ) {
        unsafe self.memory = memory
        unsafe self.block = block
        self.layout = layout
        self.btf = btf
        self.configuration = configuration
    }

    /// - Throws: ENOMEM once the maps together exceed the configured limit.
    func makeAll(_ descriptions: [MapDescription]) throws(OpsError) -> [RuntimeMap] {
        var maps: [RuntimeMap] = []
        var left = configuration.memoryLimitBytes
        for (index, description) in descriptions.enumerated() {
            let map = try make(description, index: index, limit: left)
            left -= map.memoryCharge
            guard left >= 0 else { throw description.exceeds(configuration.memoryLimitBytes) }
            maps.append(map)
            // SAFETY: the slot's handle lies in the block. The instance keeps the map alive.
            let handle = UInt64(UInt(bitPattern: unsafe Unmanaged.passUnretained(map).toOpaque()))
            unsafe memory.storeBytes(
                of: handle, toByteOffset: layout.slots[index].handleOffset, as: UInt64.self)
        }
        return maps
    }

    private func make(_ description: MapDescription, index: Int, limit: Int) throws(OpsError) -> RuntimeMap {
        let special = SpecialFields(of: description, in: btf)
        let seed = configuration.seed
        // SAFETY: `deferred` lies in the block, which lives as long as the maps.
        let deferred = unsafe UnsafeMutableRawPointer(block)
            .advanced(by: MemoryLayout<ops_block>.offset(of: \.deferred) ?? 0)
            .assumingMemoryBound(to: UInt64.self)
        switch description.type {
        case .array:
            guard let offset = layout.slots[index].dataOffset else { throw description.exceeds(limit) }
            return unsafe ArrayMap(description, index: index, special: special, data: memory + offset)
        case .percpuArray:
            return try PercpuArrayMap(
                description, index: index, special: special, cpus: configuration.cpus, limit: limit)
        case .hash:
            return try unsafe HashMap(
                description, index: index, special: special, limit: limit, seed: seed,
                deferredCounter: deferred)
        case .skStorage:
            return try unsafe SocketStorageMap(
                description, index: index, special: special, limit: limit, seed: seed,
                deferredCounter: deferred)
        default:
            // `InstanceLayout.make` has refused it already.
            return RuntimeMap(description, index: index, special: special, cpus: configuration.cpus)
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
                unsafe UnsafeMutableRawBufferPointer(start: memory + offset, count: room).copyMemory(
                    from: source)
            }
        }
    }
}
