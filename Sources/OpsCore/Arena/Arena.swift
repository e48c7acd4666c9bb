import Glibc

/// The memory of a world that holds every BTF object handed to programs, and nothing else.
///
/// ```
/// guard │ base                              base + byteCount │ 4096 readable │ guard
///       │ slab 0: sock │ slab 1: sock │ slab 2: rate_sample … │   (zeros)     │
/// ```
/// It is split into slabs of 64 KiB and more; a slab serves one pool for ever, so an address that once held a
/// `tcp_sock` never holds anything else (*type-stable*): a stale pointer reads an old or another object of its type.
/// A probed load of up to 4096 bytes that starts inside the arena stays in readable memory.
///
/// Address space is reserved at once, memory is taken when touched: 10,000 flows of 4 KiB cost what they use.
///
/// Not thread-safe: an arena belongs to the thread of its world.
///
/// Invariant: cells handed out are disjoint, lie in the arena and are not handed out again before they were freed and
/// the caller announced quiescence. If broken: objects of a world overwrite each other.
@safe package final class Arena {
    /// Selects objects of one type and size.
    package struct PoolID: Hashable, Sendable {
        package let index: Int
    }

    /// Where an address lies.
    package struct Cell: Hashable, Sendable {
        package var pool: PoolID
        /// Address of the cell's first byte.
        package var start: UInt
        package var byteCount: Int
        package var isLive: Bool
    }

    private struct Pool {
        var name: String
        /// Size of the objects, and the distance of cells.
        var byteCount: Int
        var stride: Int
        var slabByteCount: Int
        /// Cells never handed out in the newest slab: next address and end.
        var fresh: UInt = 0
        var freshEnd: UInt = 0
        var free: [UInt] = []
        var deferred: [UInt] = []
        var live = 0
    }

    package static let trailingByteCount = 4096
    private static let slabUnit = 65536
    /// Cells start at multiples of a cache line, so that two objects never share one.
    private static let unit = 64

    private let region: MappedRegion
    /// Power of two.
    package let byteCount: Int
    private var pools: [Pool] = []
    /// Start of the part that belongs to no slab yet.
    private var unclaimed: UInt
    /// By 64 KiB unit from `base`: pool and start of the slab that covers it.
    private var slabs: [(pool: Int, start: UInt)] = []
    /// One bit per `unit` bytes of claimed slabs: a cell handed out and not freed starts there. For
    /// `cell(containing:)` and to refuse double frees.
    private var liveBits: [UInt64] = []

    /// - Parameter byteCount: rounded up to a power of two, 64 KiB … 64 GiB.
    /// - Throws: EINVAL, ENOMEM.
    package init(byteCount requested: Int = 1 << 30) throws(OpsError) {
        guard (1...(1 << 36)).contains(requested) else {
            throw OpsError("memory", errno: EINVAL, "arena: \(requested) bytes, expected 1 to 64 GiB")
        }
        var size = Self.slabUnit
        while size < requested { size *= 2 }
        byteCount = size
        region = try MappedRegion(byteCount: size + Self.trailingByteCount, purpose: "arena of BTF objects")
        unclaimed = region.address
    }

    package var base: UInt { region.address }

    /// Whether a load that starts at `address` is one the JIT's probe allows.
    package func contains(_ address: UInt) -> Bool { address &- base < UInt(byteCount) }

    /// A pool for objects of one type. Pools live as long as the arena.
    ///
    /// - Parameter byteCount: size of an object, 1 … 1 MiB.
    /// - Throws: EINVAL.
    package func makePool(_ name: String, byteCount: Int) throws(OpsError) -> PoolID {
        guard (1...(1 << 20)).contains(byteCount) else {
            throw OpsError(
                "memory", errno: EINVAL, "arena: objects '\(name)' of \(byteCount) bytes, expected 1 to 1 MiB"
            )
        }
        let stride = (byteCount + Self.unit - 1) & ~(Self.unit - 1)
        let slab = max(Self.slabUnit, (stride * 16 + Self.slabUnit - 1) / Self.slabUnit * Self.slabUnit)
        pools.append(Pool(name: name, byteCount: byteCount, stride: stride, slabByteCount: slab))
        return PoolID(index: pools.count - 1)
    }

    /// A zeroed object.
    ///
    /// - Throws: ENOMEM when the arena is full.
    package func allocate(_ id: PoolID) throws(OpsError) -> UnsafeMutableRawPointer {
        precondition(pools.indices.contains(id.index), "arena: pool \(id.index) of \(pools.count)")
        let address = try takeCell(id.index)
        pools[id.index].live += 1
        setLive(address, true)
        // SAFETY: the cell lies in the region (see `takeCell`) and nobody else holds it.
        let cell = unsafe region.base + Int(address - base)
        unsafe cell.initializeMemory(as: UInt8.self, repeating: 0, count: pools[id.index].stride)
        return unsafe cell
    }

    /// Gives an object back. Its bytes stay as they are, and readable, until `quiesce`.
    ///
    /// - Precondition: `object` came from `allocate` of this pool and was not freed since: anything else traps.
    package func free(_ object: UnsafeMutableRawPointer, in id: PoolID) {
        let address = UInt(bitPattern: object)
        precondition(poolIndex(of: address) == id.index, "arena: object freed in another pool")
        precondition(isLive(address), "arena: object freed twice, or no object")
        setLive(address, false)
        pools[id.index].live -= 1
        pools[id.index].deferred.append(address)
    }

    /// No program runs and none holds an address: freed objects may be handed out again.
    package func quiesce() {
        for index in pools.indices where !pools[index].deferred.isEmpty {
            pools[index].free.append(contentsOf: pools[index].deferred)
            pools[index].deferred.removeAll(keepingCapacity: true)
        }
    }

    /// The object that `address` points into, also one that was freed; nil outside of all objects.
    package func cell(containing address: UInt) -> Cell? {
        guard let index = poolIndex(of: address) else { return nil }
        let slab = slabs[Int(address - base) / Self.slabUnit]
        let pool = pools[index]
        let start = slab.start + (address - slab.start) / UInt(pool.stride) * UInt(pool.stride)
        guard start + UInt(pool.stride) <= slab.start + UInt(pool.slabByteCount) else { return nil }
        return Cell(
            pool: PoolID(index: index), start: start, byteCount: pool.byteCount,
            isLive: isLive(start))
    }

    /// Objects handed out and not freed.
    package func liveCount(_ id: PoolID) -> Int {
        pools.indices.contains(id.index) ? pools[id.index].live : 0
    }
    package var liveCount: Int { pools.reduce(0) { $0 + $1.live } }
    package func name(of id: PoolID) -> String {
        pools.indices.contains(id.index) ? pools[id.index].name : "?"
    }
    /// Bytes of slabs claimed: the most memory that the arena has come to use.
    package var claimedByteCount: Int { Int(unclaimed - base) }

    private func poolIndex(of address: UInt) -> Int? {
        guard address >= base, address < unclaimed else { return nil }
        return slabs[Int(address - base) / Self.slabUnit].pool
    }

    /// Whether a live cell starts at `address`, which lies in a claimed slab.
    private func isLive(_ address: UInt) -> Bool {
        let bit = Int(address - base) / Self.unit
        return (address - base).isMultiple(of: UInt(Self.unit)) && liveBits[bit / 64] & 1 << (bit % 64) != 0
    }

    private func setLive(_ address: UInt, _ isLive: Bool) {
        let bit = Int(address - base) / Self.unit
        if isLive { liveBits[bit / 64] |= 1 << (bit % 64) } else { liveBits[bit / 64] &= ~(1 << (bit % 64)) }
    }

    private func takeCell(_ index: Int) throws(OpsError) -> UInt {
        if let address = pools[index].free.popLast() { return address }
        let stride = UInt(pools[index].stride)
        if pools[index].freshEnd - pools[index].fresh < stride { try claimSlab(for: index) }
        let address = pools[index].fresh
        pools[index].fresh += stride
        return address
    }

    private func claimSlab(for index: Int) throws(OpsError) {
        let size = pools[index].slabByteCount
        guard size <= byteCount - claimedByteCount else {
            throw OpsError(
                "memory", errno: ENOMEM, "arena: no room for another '\(pools[index].name)'",
                reason: "the arena has \(byteCount) bytes")
        }
        let start = unclaimed
        slabs.append(contentsOf: repeatElement((pool: index, start: start), count: size / Self.slabUnit))
        liveBits.append(contentsOf: repeatElement(0, count: size / Self.unit / 64))
        unclaimed += UInt(size)
        pools[index].fresh = start
        pools[index].freshEnd = start + UInt(size)
    }
}
