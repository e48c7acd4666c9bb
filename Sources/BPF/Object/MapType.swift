/// Kind of a map. Kernel counterpart: `enum bpf_map_type`, same raw values.
package struct MapType: RawRepresentable, Hashable, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let hash = MapType(rawValue: 1)
    package static let array = MapType(rawValue: 2)
    package static let progArray = MapType(rawValue: 3)
    package static let perfEventArray = MapType(rawValue: 4)
    package static let percpuHash = MapType(rawValue: 5)
    package static let percpuArray = MapType(rawValue: 6)
    package static let lruHash = MapType(rawValue: 9)
    package static let lruPercpuHash = MapType(rawValue: 10)
    package static let arrayOfMaps = MapType(rawValue: 12)
    package static let hashOfMaps = MapType(rawValue: 13)
    package static let queue = MapType(rawValue: 22)
    package static let stack = MapType(rawValue: 23)
    package static let skStorage = MapType(rawValue: 24)
    package static let structOps = MapType(rawValue: 26)
    package static let ringbuf = MapType(rawValue: 27)
    package static let taskStorage = MapType(rawValue: 29)
    package static let arena = MapType(rawValue: 33)

    /// Name as bpftool prints it (`percpu_array`), or `type 99`.
    package var name: String {
        switch self {
        case .hash: "hash"
        case .array: "array"
        case .progArray: "prog_array"
        case .perfEventArray: "perf_event_array"
        case .percpuHash: "percpu_hash"
        case .percpuArray: "percpu_array"
        case .lruHash: "lru_hash"
        case .lruPercpuHash: "lru_percpu_hash"
        case .arrayOfMaps: "array_of_maps"
        case .hashOfMaps: "hash_of_maps"
        case .queue: "queue"
        case .stack: "stack"
        case .skStorage: "sk_storage"
        case .structOps: "struct_ops"
        case .ringbuf: "ringbuf"
        case .taskStorage: "task_storage"
        case .arena: "arena"
        default: "type \(rawValue)"
        }
    }
}
