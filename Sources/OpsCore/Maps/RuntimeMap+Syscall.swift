import BPF
import Glibc
import Verifier

/// The control plane's side: `BPF_MAP_LOOKUP_ELEM` and its like, with the kernel's errnos and sentences.
///
/// Only between ops: the caller sees to it that no program of the instance runs.
extension RuntimeMap {
    /// A copy of the value; the machinery's fields in it are zero. Per-CPU maps: `cpus` values, each padded to 8.
    ///
    /// - Throws: ENOENT no such element; EINVAL key of another size, unknown flags; EPERM write-only map.
    package final func lookup(_ key: [UInt8], flags: UInt64 = 0) throws(OpsError) -> [UInt8] {
        guard !mapFlags.contains(.writeOnly) else { throw error(EPERM, "lookup: the map is write-only") }
        guard flags & ~UpdateFlag.lock == 0, flags == 0 || special.spinLockOffset != nil else {
            throw error(EINVAL, "lookup: flags 0x\(String(flags, radix: 16))")
        }
        try checkKey(key)
        return try copyOut(key)
    }

    /// - Parameter flags: `UpdateFlag`.
    /// - Throws: E2BIG the map is full or an array's index beyond its end; EEXIST, ENOENT by the flags; EINVAL sizes or
    ///   flags; EPERM frozen or read-only map.
    package final func update(
        _ key: [UInt8], _ value: [UInt8], flags: UInt64 = UpdateFlag.any
    ) throws(OpsError) {
        try checkWritable("update")
        try checkKey(key)
        guard flags & UpdateFlag.lock == 0 || special.spinLockOffset != nil else {
            throw error(EINVAL, "update: flags 0x\(String(flags, radix: 16)), but values have no spin lock")
        }
        guard value.count == syscallValueSize else {
            throw error(EINVAL, "update: a value of \(value.count) bytes, expected \(syscallValueSize)")
        }
        try copyIn(key, value, flags: flags)
    }

    /// - Throws: ENOENT no such element; EINVAL for arrays, whose elements cannot be deleted; EPERM.
    package final func delete(_ key: [UInt8]) throws(OpsError) {
        try checkWritable("delete")
        try checkKey(key)
        try remove(key)
    }

    /// Kernel: `BPF_MAP_LOOKUP_AND_DELETE_ELEM`. What `lookup` and `delete` would do; pops from queues and stacks.
    ///
    /// - Throws: as they do; ENOTSUPP (524) for types that do not have it.
    package final func lookupAndDelete(_ key: [UInt8]) throws(OpsError) -> [UInt8] {
        guard !mapFlags.contains(.writeOnly) else { throw error(EPERM, "lookup: the map is write-only") }
        try checkWritable("delete")
        try checkKey(key)
        return try takeOut(key)
    }

    /// Kernel: `BPF_MAP_GET_NEXT_KEY`. nil or an unknown key gives the first one.
    ///
    /// - Throws: ENOENT at the end; ENOTSUPP (524) for sk_storage.
    package final func nextKey(after key: [UInt8]?) throws(OpsError) -> [UInt8] {
        guard !mapFlags.contains(.writeOnly) else { throw error(EPERM, "next key: the map is write-only") }
        if let key { try checkKey(key) }
        guard let next = try keyAfter(key) else { throw error(ENOENT, "no further key") }
        return next
    }

    /// All elements in the map's order; at most `limit`.
    package final func elements(limit: Int = .max) throws(OpsError) -> [(key: [UInt8], value: [UInt8])] {
        guard !mapFlags.contains(.writeOnly) else { throw error(EPERM, "dump: the map is write-only") }
        return try allElements(limit: limit)
    }

    private var mapFlags: MapFlags { MapFlags(rawValue: description.flags) }

    private func checkKey(_ key: [UInt8]) throws(OpsError) {
        guard key.count == description.keySize else {
            throw error(EINVAL, "a key of \(key.count) bytes, expected \(description.keySize)")
        }
    }

    private func checkWritable(_ operation: String) throws(OpsError) {
        guard !isFrozen else { throw error(EPERM, "\(operation): the map is frozen") }
        guard !mapFlags.contains(.readOnly) else { throw error(EPERM, "\(operation): the map is read-only") }
    }

    final func noSuchElement(_ key: [UInt8]) -> OpsError { error(ENOENT, "no element with key \(hex(key))") }

    /// The errno that a program got as a number, as a sentence for people.
    final func error(_ code: CInt, _ what: String) -> OpsError {
        let (kind, reason): (String, String?) =
            switch code {
            case ENOENT: ("not-found", nil)
            case EEXIST: ("exists", "the element exists and BPF_NOEXIST was asked for")
            case E2BIG: ("full", "the map holds at most \(description.maxEntries) elements")
            case EPERM: ("permission", nil)
            case OpsError.enotsupp, EOPNOTSUPP:
                ("unsupported", "\(description.type.name) maps do not have this operation")
            default: ("map", nil)
            }
        return OpsError(
            kind, errno: code, "map '\(description.name)': \(what)", at: description.location, reason: reason)
    }

    final func hex(_ bytes: [UInt8]) -> String {
        let shown = bytes.prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(
            separator: " ")
        return bytes.count > 16 ? "\(shown) … (\(bytes.count) bytes)" : shown
    }
}
