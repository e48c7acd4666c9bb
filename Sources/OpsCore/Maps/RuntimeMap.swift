import Glibc
package import Verifier

/// A map of one instance: memory and the operations on it. One class per map type.
///
/// Two ways in. Programs use the `…Element` methods on raw memory, which answer with an errno and never throw; the
/// verifier has proved that keys and values have the map's sizes. The control plane uses `RuntimeMap+Syscall`, which
/// takes bytes, checks everything and throws.
///
/// Element addresses stay valid, and hold a value of this map, until the instance is gone: a program may go on using
/// a value that it has deleted. What is deleted is used again only at quiescence (`Instance.quiesce`).
///
/// Not thread-safe: a map belongs to the thread of its world.
@safe package class RuntimeMap {
    package let description: MapDescription
    /// Position in the object's map table and in `InstanceLayout.slots`.
    package let index: Int
    package let special: SpecialFields
    package let cpus: Int
    /// The helpers that change maps refuse it, as the verifier does.
    let isReadOnlyForPrograms: Bool
    /// Kept alive: values of arrays and the count of deferred cells lie in it.
    private let memory: BlockMemory
    /// Once true, user space may not write any more. Kernel: `BPF_MAP_FREEZE`.
    package private(set) var isFrozen: Bool

    init(
        _ description: MapDescription, index: Int, special: SpecialFields, cpus: Int = 1, memory: BlockMemory
    ) {
        self.description = description
        self.index = index
        self.special = special
        self.cpus = cpus
        self.memory = memory
        isReadOnlyForPrograms =
            description.isReadOnly || MapFlags(rawValue: description.flags).contains(.readOnlyProgram)
        isFrozen = description.constants != nil
    }

    /// Bytes charged to the owner of the instance: the most that this map may come to use, as the kernel charges
    /// preallocated maps at creation; for sk_storage, what it has used so far.
    package var memoryCharge: Int { 0 }
    /// Bytes charged for the timers that its values may hold.
    final var timerCharge: Int {
        special.timerOffset == nil ? 0 : description.maxEntries * TimerTable.byteCountEach
    }
    /// Elements present; for arrays always `maxEntries`.
    package var count: Int { description.maxEntries }

    package func freeze() { isFrozen = true }

    // MARK: For programs. Each override says how its type differs.

    /// The address of the value for `key` as seen from `cpu`; nil: no such element.
    /// - Precondition: `key` is good for `keySize` bytes.
    @unsafe func lookupElement(_ key: UnsafeRawPointer, cpu: UInt32) -> UnsafeMutableRawPointer? { nil }

    /// As `lookupElement` on CPU 0, but without the effects that a program's lookup has.
    @unsafe func peekElement(_ key: UnsafeRawPointer) -> UnsafeMutableRawPointer? {
        unsafe lookupElement(key, cpu: 0)
    }

    /// - Returns: 0 or an errno, positive.
    /// - Precondition: `key` and `value` are good for `keySize` and `valueSize` bytes.
    @unsafe func updateElement(
        _ key: UnsafeRawPointer, value: UnsafeRawPointer, flags: UInt64, cpu: UInt32
    ) -> CInt { EOPNOTSUPP }

    /// - Returns: 0 or an errno, positive.
    @unsafe func deleteElement(_ key: UnsafeRawPointer) -> CInt { EOPNOTSUPP }

    /// Calls `body` with the addresses of key and value of each element, as `bpf_for_each_map_elem` does, until it
    /// returns false. `body` may change the map: each element slot is visited at most once.
    /// - Returns: how often `body` was called; nil if this type cannot be walked.
    @unsafe func forEachElement(
        cpu: UInt32, _ body: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Bool
    ) -> Int? { nil }

    /// Adds a value to a map without keys. - Returns: 0 or an errno, positive.
    /// - Precondition: `value` is good for `valueSize` bytes.
    @unsafe func push(_ value: UnsafeRawPointer, flags: UInt64) -> CInt { EINVAL }

    /// Copies the next value of a map without keys, and takes it out if it `removes`. - Returns: 0 or an errno, positive.
    /// - Precondition: `target` is good for `valueSize` bytes; they are written in any case.
    @unsafe func pop(into target: UnsafeMutableRawPointer, removes: Bool) -> CInt { EINVAL }

    /// Whether the value at this address belongs to an element of the map, and not to one that was deleted.
    func isLive(valueAt address: UInt) -> Bool { false }

    /// Calls `body` with the address of the key of a live element.
    @unsafe func withKey(ofValueAt address: UInt, _ body: (UnsafeRawPointer) -> Void) {}

    /// A value is going or is overwritten: its timer goes with it. Kernel: `bpf_obj_free_fields`.
    @unsafe final func endTimer(of value: UnsafeMutableRawPointer) {
        guard let offset = special.timerOffset else { return }
        // SAFETY: the field lies in the value.
        unsafe memory.timers.end(at: value + offset)
    }

    /// The address of the value of `socket`; nil: it has none, or this is no socket storage.
    @unsafe func storageElement(of socket: UInt64) -> UnsafeMutableRawPointer? { nil }

    /// The value of `socket`, made of zeros and then of `initial` if there is none yet.
    ///
    /// - Parameter initial: nil, or good for valueSize bytes.
    /// - Returns: nil if there is no room for another one.
    @unsafe func makeStorageElement(of socket: UInt64, initial: UnsafeRawPointer?) -> UnsafeMutableRawPointer?
    {
        nil
    }

    /// - Returns: 0 or an errno, positive.
    func deleteStorageElement(of socket: UInt64) -> CInt { EINVAL }

    /// Bytes of element data from `address` on that belong together; 0 if it lies in no element.
    func readableByteCount(from address: UInt) -> Int { 0 }

    /// No program runs: what was deleted may be used again.
    func quiesce() {}

    // MARK: For the control plane; arguments have been checked by `RuntimeMap+Syscall`.

    func copyOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] {
        // SAFETY: the key has keySize bytes (checked by the caller); a found value has valueSize bytes.
        let value: [UInt8]? = unsafe key.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let found = unsafe peekElement(base) else {
                return nil
            }
            return unsafe [UInt8](UnsafeRawBufferPointer(start: found, count: description.valueSize))
        }
        guard var value else { throw noSuchElement(key) }
        special.zero(in: &value)
        return value
    }

    func copyIn(_ key: [UInt8], _ value: [UInt8], flags: UInt64) throws(OpsError) {
        // SAFETY: key and value have the map's sizes (checked by the caller).
        let code = unsafe key.withUnsafeBytes { key in
            unsafe value.withUnsafeBytes { value in
                guard let key = key.baseAddress, let value = value.baseAddress else { return EINVAL }
                return unsafe updateElement(key, value: value, flags: flags, cpu: 0)
            }
        }
        guard code == 0 else { throw error(code, "update of key \(hex(key))") }
    }

    func remove(_ key: [UInt8]) throws(OpsError) {
        // SAFETY: the key has keySize bytes (checked by the caller).
        let code = unsafe key.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return EINVAL }
            return unsafe deleteElement(base)
        }
        guard code == 0 else { throw error(code, "delete of key \(hex(key))") }
    }

    /// Copies an element and deletes it. - Throws: ENOTSUPP for types that do not have it.
    func takeOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] {
        throw error(OpsError.enotsupp, "lookup and delete")
    }

    /// What hashes do for `takeOut`.
    final func copyOutAndRemove(_ key: [UInt8]) throws(OpsError) -> [UInt8] {
        let value = try copyOut(key)
        try remove(key)
        return value
    }

    func allElements(limit: Int) throws(OpsError) -> [(key: [UInt8], value: [UInt8])] {
        var all: [(key: [UInt8], value: [UInt8])] = []
        var key = try keyAfter(nil)
        while let current = key, all.count < limit {
            all.append((current, try copyOut(current)))
            key = try keyAfter(current)
        }
        return all
    }

    /// The key after `key` in this map's order, the first one for nil or an unknown key, nil at the end.
    func keyAfter(_ key: [UInt8]?) throws(OpsError) -> [UInt8]? {
        throw error(OpsError.enotsupp, "walking the keys")
    }

    /// Bytes of one element as user space sees it.
    var syscallValueSize: Int { description.valueSize }
}

/// What every update checks first, with the kernel's order and errnos.
extension RuntimeMap {
    /// - Returns: 0, or EINVAL for an unknown flag or a lock that the value does not have.
    final func checkUpdateFlags(_ flags: UInt64) -> CInt {
        guard flags & ~UpdateFlag.lock <= UpdateFlag.exist else { return EINVAL }
        guard flags & UpdateFlag.lock == 0 || special.spinLockOffset != nil else { return EINVAL }
        return 0
    }

    /// `cpu` as an index below `cpus`: a subsystem that sets a CPU its worlds do not have gets CPU 0's data.
    final func cpuIndex(_ cpu: UInt32) -> Int { Int(cpu) < cpus ? Int(cpu) : 0 }
}
