package import BPF

/// What a helper takes and gives. Kernel counterpart: `struct bpf_func_proto`.
package struct HelperPrototype: Sendable {
    package enum Argument: Equatable, Sendable {
        /// Whatever the register holds, as long as it was written.
        case anything
        /// Not looked at: an argument that a format string may or may not name.
        case optional
        case scalar
        case map
        /// Readable key or value of the map in the first argument.
        case mapKey
        case mapValue
        case mapValueOrNull
        /// Room for a value of that map; need not be initialised.
        case mapValueOut
        /// Readable memory whose size is the next argument.
        case memory
        case memoryOrNull
        /// Memory to be written, whose size is the next argument; need not be initialised.
        case memoryOut
        /// Memory of this many bytes to be written.
        case fixedOut(Int)
        /// Size of the memory before: at least 1, or 0 too.
        case size
        case sizeOrZero
        /// A zero-terminated string in a read-only map.
        case constantString
        /// A trusted pointer to an object of one of these structs.
        case object([String])
        case spinLock
        case callback
        /// Pointer to stack or NULL, handed to the callback.
        case callbackContext
    }

    package enum Result: Equatable, Sendable {
        case void
        case scalar
        /// An error or a count: -4095 … this.
        case status(Int64)
        /// Into a value of the map in the first argument, or NULL.
        case mapValueOrNull
        /// A trusted object of this struct, or NULL.
        case objectOrNull(String)
    }

    package let id: Int32
    package let arguments: [Argument]
    package let result: Result
    /// Map types that the first argument may have; nil: it is no map, or any will do.
    package let maps: Set<MapType>?

    package var name: String { HelperPrototype.name(of: id) }

    /// `bpf_map_lookup_elem`, or `unknown#1234`. Kernel counterpart: `func_id_name`.
    package static func name(of id: Int32) -> String {
        id > 0 && id < HelperNames.all.count ? "bpf_" + HelperNames.all[Int(id)] : "unknown#\(id)"
    }

    package static func exists(_ id: Int32) -> Bool { id > 0 && id < HelperNames.all.count }

    /// The id of a helper by its name with or without `bpf_`.
    package static func id(named name: String) -> Int32? {
        let bare = name.hasPrefix("bpf_") ? String(name.dropFirst(4)) : name
        return HelperNames.all.firstIndex(of: bare).flatMap { $0 > 0 ? Int32($0) : nil }
    }

    /// Whether it turns a callback, and so draws on fuel.
    static func isLoop(_ id: Int32) -> Bool { id == 181 || id == 164 }

    /// Helpers whose rules are built, by id.
    package static let known: [Int32: HelperPrototype] = {
        var table: [Int32: HelperPrototype] = [:]
        for entry in entries { table[entry.id] = entry }
        return table
    }()

    private static func entry(
        _ name: String, _ arguments: [Argument], _ result: Result = .scalar, maps: Set<MapType>? = nil
    ) -> HelperPrototype {
        guard let id = id(named: name) else { preconditionFailure("no helper \(name)") }
        return HelperPrototype(id: id, arguments: arguments, result: result, maps: maps)
    }

    private static let keyed: Set<MapType> = [
        .hash, .array, .percpuHash, .percpuArray, .lruHash, .lruPercpuHash,
    ]
    private static let socket: Argument = .object(["sock_common", "sock"])

    private static let entries: [HelperPrototype] = [
        entry("map_lookup_elem", [.map, .mapKey], .mapValueOrNull, maps: keyed),
        entry("map_update_elem", [.map, .mapKey, .mapValue, .scalar], .status(0), maps: keyed),
        entry("map_delete_elem", [.map, .mapKey], .status(0), maps: keyed),
        entry(
            "map_lookup_percpu_elem", [.map, .mapKey, .scalar], .mapValueOrNull,
            maps: [.percpuHash, .percpuArray, .lruPercpuHash]),
        entry("map_push_elem", [.map, .mapValue, .scalar], .status(0), maps: [.queue, .stack]),
        entry("map_pop_elem", [.map, .mapValueOut], .status(0), maps: [.queue, .stack]),
        entry("map_peek_elem", [.map, .mapValueOut], .status(0), maps: [.queue, .stack]),
        entry("for_each_map_elem", [.map, .callback, .callbackContext, .scalar], maps: keyed),
        entry("loop", [.scalar, .callback, .callbackContext, .scalar]),
        entry("ringbuf_output", [.map, .memory, .sizeOrZero, .scalar], .status(0), maps: [.ringbuf]),
        entry("ringbuf_query", [.map, .scalar], maps: [.ringbuf]),

        entry("ktime_get_ns", []), entry("ktime_get_boot_ns", []), entry("ktime_get_coarse_ns", []),
        entry("ktime_get_tai_ns", []), entry("jiffies64", []), entry("get_prandom_u32", []),
        entry("get_smp_processor_id", []), entry("get_numa_node_id", []),
        entry("get_current_pid_tgid", []), entry("get_current_uid_gid", []),
        entry("get_current_cgroup_id", []),
        entry("get_current_task", []), entry("get_current_comm", [.memoryOut, .size], .status(0)),

        entry("trace_printk", [.memory, .size, .optional, .optional, .optional]),
        entry("trace_vprintk", [.memory, .size, .memoryOrNull, .sizeOrZero]),
        entry("snprintf", [.memoryOut, .sizeOrZero, .constantString, .memoryOrNull, .sizeOrZero]),
        entry("strncmp", [.memory, .size, .constantString]),
        entry("strtol", [.memory, .size, .scalar, .fixedOut(8)]),
        entry("strtoul", [.memory, .size, .scalar, .fixedOut(8)]),

        entry("probe_read", [.memoryOut, .sizeOrZero, .anything], .status(0)),
        entry("probe_read_kernel", [.memoryOut, .sizeOrZero, .anything], .status(0)),
        entry("probe_read_user", [.memoryOut, .sizeOrZero, .anything], .status(0)),
        entry("probe_read_str", [.memoryOut, .sizeOrZero, .anything]),
        entry("probe_read_kernel_str", [.memoryOut, .sizeOrZero, .anything]),
        entry("probe_read_user_str", [.memoryOut, .sizeOrZero, .anything]),

        entry("spin_lock", [.spinLock], .void), entry("spin_unlock", [.spinLock], .void),

        entry("setsockopt", [socket, .scalar, .scalar, .memory, .size], .status(0)),
        entry("getsockopt", [socket, .scalar, .scalar, .memoryOut, .size], .status(0)),
        entry("tcp_send_ack", [.object(["tcp_sock"]), .scalar], .status(0)),
        entry(
            "sk_storage_get", [.map, socket, .mapValueOrNull, .scalar], .mapValueOrNull, maps: [.skStorage]),
        entry("sk_storage_delete", [.map, socket], .status(0), maps: [.skStorage]),
        entry("skc_to_tcp_sock", [socket], .objectOrNull("tcp_sock")),
    ]
}
