import Glibc
import Verifier

/// `BPF_MAP_TYPE_SK_STORAGE`: one value per socket, made on demand, gone with the socket.
///
/// Keyed by the socket's address in the arena; that address is reused only after `socketFreed`. User space knows
/// sockets by descriptors, which worlds do not have: its operations go through addresses (`value(of:)`).
/// Kernel counterpart: `sk_storage_map_ops`.
@safe final class SocketStorageMap: RuntimeMap {
    /// Sockets with a value at one time; the table's address space is bounded by the instance's limit too.
    static let socketsMax = 1 << 20
    /// Charged at a time, so that not every socket asks.
    static let chargeStep = 1 << 16
    private let table: CellTable
    /// Paid for so far, ahead of what is used.
    private var chargedBytes = 0
    private let memory: BlockMemory

    /// - Throws: ENOMEM.
    @unsafe init(
        _ description: MapDescription, index: Int, special: SpecialFields, limit: Int, seed: UInt64,
        memory: BlockMemory
    ) throws(OpsError) {
        // Cells cost nothing before they are used, so this reserves what the limit allows: half of it, since the
        // table has some more cells than sockets, and its buckets.
        let perSocket = 64 + description.valueStride
        let sockets = max(1, min(Self.socketsMax, limit / 2 / perSocket))
        table = try unsafe CellTable(
            name: description.name, keySize: 8, valueSize: description.valueSize, capacity: sockets,
            limit: limit,
            seed: seed, deferredCounter: memory.deferredCounter)
        self.memory = memory
        super.init(description, index: index, special: special, memory: memory)
    }

    override var memoryCharge: Int { chargedBytes }
    override var count: Int { table.count }

    @unsafe override func storageElement(of socket: UInt64) -> UnsafeMutableRawPointer? {
        // SAFETY: the key is 8 bytes, as the table was made for.
        unsafe withUnsafeBytes(of: socket) { bytes in
            guard let base = bytes.baseAddress else { return nil }
            return unsafe table.lookup(base)
        }
    }

    @unsafe override func makeStorageElement(
        of socket: UInt64, initial: UnsafeRawPointer?
    ) -> UnsafeMutableRawPointer? {
        if let old = unsafe storageElement(of: socket) { return unsafe old }
        guard chargeOneMore() else { return nil }
        return unsafe withUnsafeBytes(of: socket) { bytes in
            // SAFETY: the key is 8 bytes; a new value has valueSize bytes.
            guard let base = bytes.baseAddress, let new = unsafe table.place(base).value else { return nil }
            if let initial = unsafe initial {
                unsafe special.copyData(from: initial, to: new, count: description.valueSize)
            }
            return unsafe new
        }
    }

    /// - Returns: false if the owner of the instance may have no more memory.
    private func chargeOneMore() -> Bool {
        guard table.usedByteCount + table.cellStride > chargedBytes else { return true }
        let step = max(Self.chargeStep, table.cellStride)
        guard memory.onGrowth?(step) ?? true else { return false }
        chargedBytes += step
        return true
    }

    override func deleteStorageElement(of socket: UInt64) -> CInt {
        // SAFETY: the key is 8 bytes.
        unsafe withUnsafeBytes(of: socket) { bytes in
            guard let base = bytes.baseAddress else { return ENOENT }
            return unsafe table.remove(base) ? 0 : ENOENT
        }
    }

    override func readableByteCount(from address: UInt) -> Int { table.readableByteCount(from: address) }
    override func quiesce() { table.quiesce() }

    /// Addresses of the sockets that have a value, in the order in which they got it.
    var sockets: [UInt64] {
        var all: [UInt64] = []
        var next: UInt32 = 0
        // SAFETY: keys of this table are 8 bytes.
        while let cell = unsafe table.liveCell(from: next, before: .max) {
            unsafe all.append(cell.key.loadUnaligned(as: UInt64.self))
            next = unsafe cell.number + 1
        }
        return all
    }

    /// A copy of the value of `socket`, the machinery's fields zeroed; nil: it has none.
    func value(of socket: UInt64) -> [UInt8]? {
        // SAFETY: a value has valueSize bytes.
        guard let found = unsafe storageElement(of: socket) else { return nil }
        var value = unsafe [UInt8](UnsafeRawBufferPointer(start: found, count: description.valueSize))
        special.zero(in: &value)
        return value
    }

    /// Kernel: the key is a socket's descriptor.
    override func copyOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] { throw noDescriptors() }
    override func copyIn(_ key: [UInt8], _ value: [UInt8], flags: UInt64) throws(OpsError) {
        throw noDescriptors()
    }
    override func remove(_ key: [UInt8]) throws(OpsError) { throw noDescriptors() }

    private func noDescriptors() -> OpsError {
        OpsError(
            "unsupported", errno: EOPNOTSUPP, "map '\(description.name)': lookup by file descriptor",
            at: description.location,
            reason: "sockets of a simulated world have no descriptors; the values are listed by flow")
    }
}
