/// What a helper or kfunc may do with its arguments, as the interpreter checks it at run time.
///
/// Written from the helpers' documentation (UAPI `bpf.h`), apart from the verifier's table: two descriptions of one
/// thing, so that a slip in either is found.
package struct CallShape: Sendable {
    package enum Argument: Equatable, Sendable {
        /// Any number or valid pointer, initialised.
        case anything
        case scalar
        case map
        /// Readable memory of the key or value size of the map in an earlier argument.
        case mapKey, mapValue
        case mapValueOrNull
        /// Memory of the value size of that map, which the callee fills.
        case mapValueOut
        /// Memory whose size is in the next argument; NULL is allowed when that is 0 or `orNull`.
        case readable(orNull: Bool), writable(orNull: Bool)
        case size
        /// Memory of a fixed size; `writes` first: the callee fills it.
        case fixed(Int, writes: Bool)
        /// Readable up to a NUL.
        case string
        case callback
        /// The spin lock of a map value.
        case spinLock
        /// The timer of a map value.
        case timer
        /// An object of the arena.
        case object
        case objectOrNull
        /// A reserved record of a ring buffer; the call ends the reservation.
        case record
    }
    package enum Result: Equatable, Sendable {
        case scalar
        /// A value of the map in the first argument, or NULL.
        case mapValueOrNull
        /// A record of the ring buffer in the first argument, reserved until it is submitted or discarded; or NULL.
        case recordOrNull
        /// Whatever the address is of: an object of the arena, the caller's stack.
        case byAddress
    }
    package var arguments: [Argument]
    package var result: Result

    package init(_ arguments: [Argument], _ result: Result = .scalar) {
        self.arguments = arguments
        self.result = result
    }

    /// Helpers by id.
    static let helpers: [Int32: CallShape] = [
        1: CallShape([.map, .mapKey], .mapValueOrNull),
        2: CallShape([.map, .mapKey, .mapValue, .scalar]),
        3: CallShape([.map, .mapKey]),
        5: CallShape([]), 125: CallShape([]), 208: CallShape([]), 160: CallShape([]), 118: CallShape([]),
        7: CallShape([]), 8: CallShape([]), 42: CallShape([]),
        // Arguments 3 to 5 are read only as far as the format asks for them.
        6: CallShape([.readable(orNull: false), .size]),
        49: CallShape([.object, .scalar, .scalar, .readable(orNull: false), .size]),
        57: CallShape([.object, .scalar, .scalar, .writable(orNull: false), .size]),
        87: CallShape([.map, .mapValue, .scalar]),
        88: CallShape([.map, .mapValueOut]), 89: CallShape([.map, .mapValueOut]),
        93: CallShape([.spinLock]), 94: CallShape([.spinLock]),
        105: CallShape([.readable(orNull: false), .size, .scalar, .fixed(8, writes: true)]),
        106: CallShape([.readable(orNull: false), .size, .scalar, .fixed(8, writes: true)]),
        107: CallShape([.map, .objectOrNull, .mapValueOrNull, .scalar], .mapValueOrNull),
        108: CallShape([.map, .objectOrNull]),
        113: CallShape([.writable(orNull: false), .size, .anything]),
        115: CallShape([.writable(orNull: false), .size, .anything]),
        116: CallShape([.object, .scalar]),
        130: CallShape([.map, .readable(orNull: false), .size, .scalar]),
        131: CallShape([.map, .scalar, .scalar], .recordOrNull),
        132: CallShape([.record, .scalar]), 133: CallShape([.record, .scalar]),
        134: CallShape([.map, .scalar]),
        164: CallShape([.map, .callback, .anything, .scalar]),
        165: CallShape([.writable(orNull: true), .size, .string, .readable(orNull: true), .size]),
        169: CallShape([.timer, .map, .scalar]), 170: CallShape([.timer, .callback]),
        171: CallShape([.timer, .scalar, .scalar]), 172: CallShape([.timer]),
        177: CallShape([.readable(orNull: false), .size, .readable(orNull: true), .size]),
        181: CallShape([.scalar, .callback, .anything, .scalar]),
        182: CallShape([.readable(orNull: false), .size, .string]),
        197: CallShape([.writable(orNull: false), .size, .scalar, .fixed(16, writes: true)]),
        198: CallShape([.map, .scalar, .scalar, .fixed(16, writes: true)]),
        199: CallShape([.fixed(16, writes: false), .scalar]),
        200: CallShape([.fixed(16, writes: false), .scalar]),
        201: CallShape([
            .writable(orNull: false), .size, .fixed(16, writes: false), .scalar, .scalar,
        ]),
        202: CallShape([.fixed(16, writes: false), .scalar, .readable(orNull: false), .size, .scalar]),
        203: CallShape([.fixed(16, writes: false), .scalar, .scalar]),
        195: CallShape([.map, .mapKey, .scalar], .mapValueOrNull),
    ]

    /// Kfuncs by name; others are taken to read and write whatever they are pointed at.
    static let kfuncs: [String: CallShape] = [
        "bpf_iter_num_new": CallShape([.fixed(8, writes: true), .scalar, .scalar]),
        "bpf_iter_num_next": CallShape([.fixed(8, writes: false)], .byAddress),
        "bpf_iter_num_destroy": CallShape([.fixed(8, writes: false)]),
        "bpf_rcu_read_lock": CallShape([]), "bpf_rcu_read_unlock": CallShape([]),
        "bpf_preempt_disable": CallShape([]), "bpf_preempt_enable": CallShape([]),
    ]
}
