import BPF

/// Helpers that any program may call: maps, loops, time, strings. Source: bpf-helpers(7), docs.ebpf.io.
extension HelperPrototype {
    static let generic: [HelperPrototype] = maps + loops + clocks + strings

    /// Whose elements are found by key.
    private static let keyed: Set<MapType> = [
        .hash, .array, .percpuHash, .percpuArray, .lruHash, .lruPercpuHash, .lpmTrie,
    ]

    private static let maps: [HelperPrototype] = [
        entry(
            "map_lookup_elem", [.map, .mapKey], .mapValueOrNull,
            maps: keyed.union([
                .arrayOfMaps, .hashOfMaps, .devmap, .devmapHash, .xskmap, .sockmap, .sockhash,
            ])),
        entry(
            "map_update_elem", [.map, .mapKey, .mapValue, .anything], .scalar,
            maps: keyed.union([.sockmap, .sockhash])),
        entry("map_delete_elem", [.map, .mapKey], .scalar, maps: keyed.union([.sockmap, .sockhash])),
        entry(
            "map_lookup_percpu_elem", [.map, .mapKey, .anything], .mapValueOrNull,
            maps: [.percpuHash, .percpuArray, .lruPercpuHash]),
        entry("map_push_elem", [.map, .mapValue, .anything], .scalar, maps: [.queue, .stack, .bloomFilter]),
        entry("map_pop_elem", [.map, .mapValueOut], .scalar, maps: [.queue, .stack]),
        entry("map_peek_elem", [.map, .mapValueOut], .scalar, maps: [.queue, .stack, .bloomFilter]),
    ]

    private static let loops: [HelperPrototype] = [
        entry(
            "for_each_map_elem", [.map, .callback, .callbackContext, .anything],
            maps: keyed.subtracting([.lpmTrie])),
        entry("loop", [.anything, .callback, .callbackContext, .anything]),
    ]

    private static let clocks: [HelperPrototype] = [
        entry("ktime_get_ns", []), entry("ktime_get_boot_ns", []), entry("ktime_get_coarse_ns", []),
        entry("ktime_get_tai_ns", []), entry("jiffies64", []), entry("get_prandom_u32", []),
        entry("get_smp_processor_id", []), entry("get_numa_node_id", []),
        entry("get_current_pid_tgid", []), entry("get_current_uid_gid", []),
        entry("get_current_cgroup_id", []), entry("get_current_task", [], .scalar, .isForGPLOnly),
        entry("get_current_comm", [.memoryOut, .size]),
    ]

    private static let strings: [HelperPrototype] = [
        entry("trace_printk", [.memory, .size, .optional, .optional, .optional], .scalar, .isForGPLOnly),
        entry("trace_vprintk", [.memory, .size, .memoryOrNull, .sizeOrZero], .scalar, .isForGPLOnly),
        entry(
            "snprintf", [.memoryOutOrNull, .sizeOrZero, .constantString, .memoryOrNull, .sizeOrZero], .scalar,
            .isForGPLOnly),
        entry("strncmp", [.memory, .size, .constantString]),
        entry("strtol", [.memory, .size, .anything, .fixedOut(8)]),
        entry("strtoul", [.memory, .size, .anything, .fixedOut(8)]),
    ]
}
