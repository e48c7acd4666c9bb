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
    package static let stackTrace = MapType(rawValue: 7)
    package static let cgroupArray = MapType(rawValue: 8)
    package static let lruHash = MapType(rawValue: 9)
    package static let lruPercpuHash = MapType(rawValue: 10)
    package static let lpmTrie = MapType(rawValue: 11)
    package static let arrayOfMaps = MapType(rawValue: 12)
    package static let hashOfMaps = MapType(rawValue: 13)
    package static let devmap = MapType(rawValue: 14)
    package static let sockmap = MapType(rawValue: 15)
    package static let cpumap = MapType(rawValue: 16)
    package static let xskmap = MapType(rawValue: 17)
    package static let sockhash = MapType(rawValue: 18)
    package static let cgroupStorage = MapType(rawValue: 19)
    package static let reuseportSockArray = MapType(rawValue: 20)
    package static let percpuCgroupStorage = MapType(rawValue: 21)
    package static let queue = MapType(rawValue: 22)
    package static let stack = MapType(rawValue: 23)
    package static let skStorage = MapType(rawValue: 24)
    package static let devmapHash = MapType(rawValue: 25)
    package static let structOps = MapType(rawValue: 26)
    package static let ringbuf = MapType(rawValue: 27)
    package static let inodeStorage = MapType(rawValue: 28)
    package static let taskStorage = MapType(rawValue: 29)
    package static let bloomFilter = MapType(rawValue: 30)
    package static let userRingbuf = MapType(rawValue: 31)
    package static let cgrpStorage = MapType(rawValue: 32)
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
        case .stackTrace: "stack_trace"
        case .cgroupArray: "cgroup_array"
        case .lruHash: "lru_hash"
        case .lruPercpuHash: "lru_percpu_hash"
        case .lpmTrie: "lpm_trie"
        case .arrayOfMaps: "array_of_maps"
        case .hashOfMaps: "hash_of_maps"
        case .devmap: "devmap"
        case .sockmap: "sockmap"
        case .cpumap: "cpumap"
        case .xskmap: "xskmap"
        case .sockhash: "sockhash"
        case .cgroupStorage: "cgroup_storage"
        case .reuseportSockArray: "reuseport_sockarray"
        case .percpuCgroupStorage: "percpu_cgroup_storage"
        case .queue: "queue"
        case .stack: "stack"
        case .skStorage: "sk_storage"
        case .devmapHash: "devmap_hash"
        case .structOps: "struct_ops"
        case .ringbuf: "ringbuf"
        case .inodeStorage: "inode_storage"
        case .taskStorage: "task_storage"
        case .bloomFilter: "bloom_filter"
        case .userRingbuf: "user_ringbuf"
        case .cgrpStorage: "cgrp_storage"
        case .arena: "arena"
        default: "type \(rawValue)"
        }
    }
}
