package import BPF
package import CShim
import Glibc
package import JIT
package import Verifier

/// One private copy of an object's whole closure of data: block, maps, trace, effects. What a world's ops work on.
///
/// The code of an object is shared by all its instances; it reaches their data through the block's address.
///
/// Not thread-safe: an instance belongs to the thread of its world. Other threads ask that thread.
///
/// Invariant: `block` is the start of `memory`, laid out by `layout`; it and all maps live exactly as long as the
/// instance, so whoever holds the block's address (entries, running programs) must hold the instance.
@safe package final class Instance {
    package struct Configuration: Sendable {
        /// CPUs of the world, 1 … 4096.
        package var cpus = 1
        /// Seeds `bpf_get_prandom_u32` and the maps' hashes; equal seeds give equal runs.
        package var seed: UInt64 = 1
        package var fuelPerCall: UInt64 = 1 << 23
        /// Most bytes that `memoryCharge` may reach at creation, and that any one growing map may take.
        package var memoryLimitBytes = 1 << 30
        /// Lines of `bpf_trace_printk` kept.
        package var traceLineCount = 1024

        package init() {}
    }

    package let layout: InstanceLayout
    package let configuration: Configuration
    /// The object's, which the maps' types refer to.
    package private(set) lazy var btf: BTF? = types()
    private let types: () -> BTF?
    /// By map index, as in `layout.slots`.
    package let maps: [RuntimeMap]
    /// The instance block: compiled code's block register, helpers' sixth argument.
    package let block: UnsafeMutablePointer<ops_block>
    package var trace: TraceRing
    package var effects = EffectQueue()
    /// The arena that BTF objects handed to this instance's programs lie in; kept alive for `block.arena_base`.
    package private(set) var arena: Arena?
    /// Takes the records that programs submit to ring buffers (by map index), at quiescence. nil: they stay where they
    /// are until somebody else consumes them. A world always sets one, so that what its programs find does not depend on
    /// whether anybody listens.
    package var onRecord: ((_ map: Int, UnsafeRawBufferPointer) -> Void)?
    /// Told of each line that goes into `trace`; nil: nobody is.
    package var onTrace: ((TraceRing.Line) -> Void)?
    /// Pays for maps that grow after they were made; false: no more is allowed, and their helpers answer NULL. nil: nobody
    /// is charged.
    package var onGrowth: ((_ byteCount: Int) -> Bool)? {
        get { memory.onGrowth }
        set { memory.onGrowth = newValue }
    }
    /// Told when a map was not allowed to grow because of the budget of its registration; the operation fails.
    package var onMemoryExcess: ((_ wantedBytes: Int, _ limitBytes: Int) -> Void)?
    let ringBuffers: [RingBufferMap]
    var timers: TimerTable { memory.timers }
    /// Who fires the timers; nil: they cannot be started.
    package weak var timerHost: (any TimerHost)?
    private let memory: BlockMemory
    /// The maps whose deleted elements wait for quiescence.
    private let deferringMaps: [RuntimeMap]
    private let socketStorage: [SocketStorageMap]

    /// - Parameters:
    ///   - maps: the object's map table.
    ///   - contents: first values of `.data` and the like by map index; frozen maps bring theirs as `constants`.
    ///   - btf: the object's, which the maps' value types refer to; may be nil if no value has special fields.
    ///   - types: reads the object's types for those who want to look; nil: `btf` is all there is.
    ///   - layout: the one the code was compiled for; nil makes it.
    /// - Throws: what map creation answers (EINVAL, E2BIG, `unsupported`); ENOMEM; EINVAL for contents that do not fit.
    package init(
        maps descriptions: [MapDescription], contents: [Int: [UInt8]] = [:], btf: BTF? = nil,
        types: (() -> BTF?)? = nil, layout: InstanceLayout? = nil, arena: Arena? = nil,
        configuration: Configuration = Configuration()
    ) throws(OpsError) {
        let made = try InstanceLayout.make(for: descriptions, cpus: configuration.cpus)
        if let layout, layout != made {
            throw OpsError("internal", errno: EINVAL, "instance: the code was compiled for another layout")
        }
        let limit = configuration.memoryLimitBytes
        guard made.byteCount <= limit else {
            throw OpsError(
                "memory", errno: ENOMEM,
                "instance: its block takes \(made.byteCount) bytes, the limit is \(limit)")
        }
        memory = try BlockMemory(byteCount: made.byteCount)
        unsafe block = memory.block
        let factory = MapFactory(memory: memory, layout: made, btf: btf, configuration: configuration)
        maps = try factory.makeAll(descriptions)
        try factory.fill(descriptions, with: contents)

        self.layout = made
        self.types = types ?? { btf }
        self.configuration = configuration
        self.arena = arena
        trace = TraceRing(capacity: configuration.traceLineCount)
        ringBuffers = maps.compactMap { $0 as? RingBufferMap }
        socketStorage = maps.compactMap { $0 as? SocketStorageMap }
        deferringMaps = maps.filter { $0 is HashMap || $0 is PercpuHashMap || $0 is SocketStorageMap }
        start()
    }

    /// Fills the block's head. Clocks stay 0 until the subsystem sets them.
    private func start() {
        // SAFETY: the block is ours. The reference is unmanaged: `self` outlives every use of the block.
        unsafe block.pointee.instance = Unmanaged.passUnretained(self).toOpaque()
        unsafe block.pointee.fuel_per_call = configuration.fuelPerCall
        unsafe block.pointee.fuel = configuration.fuelPerCall
        unsafe block.pointee.prandom_state = configuration.seed
        unsafe block.pointee.cpus = UInt32(clamping: configuration.cpus)
        guard let arena else { return }
        unsafe block.pointee.arena_base = UInt64(arena.base)
        unsafe block.pointee.arena_size = UInt64(arena.byteCount)
    }

    /// The instance that a block belongs to; nil for a block that has none.
    @unsafe package static func of(_ block: UnsafeMutablePointer<ops_block>) -> Instance? {
        // SAFETY: `instance` is written by `start` alone and lives as long as the block.
        guard let opaque = unsafe block.pointee.instance else { return nil }
        return unsafe Unmanaged<Instance>.fromOpaque(opaque).takeUnretainedValue()
    }

    /// The subsystem's own pointer for its helpers and kfuncs, `block.world`.
    @unsafe package func setWorld(_ world: UnsafeMutableRawPointer?) {
        unsafe block.pointee.world = unsafe world
    }

    /// No program of this instance runs now: elements deleted before may be used again, and records are consumed. Cheap
    /// when there are none.
    package func quiesce() {
        consumeRecords()
        // SAFETY: the block is ours.
        guard unsafe block.pointee.deferred != 0 else { return }
        for map in deferringMaps { map.quiesce() }
    }

    /// Hands what programs have submitted to ring buffers to `onRecord`.
    package func consumeRecords() {
        // SAFETY: the block is ours.
        guard unsafe block.pointee.records != 0, let onRecord = unsafe onRecord else { return }
        unsafe block.pointee.records = 0
        for ring in ringBuffers { unsafe ring.consume { unsafe onRecord(ring.index, $0) } }
    }

    /// A socket is about to be freed: its storage goes with it, at quiescence.
    package func socketFreed(_ socket: UnsafeRawPointer) {
        for map in socketStorage { _ = map.deleteStorageElement(of: UInt64(UInt(bitPattern: socket))) }
    }

    /// Bytes from `address` on that programs of this instance may see: of the arena, of global data or of one map
    /// element; 0 for everything else of the process.
    package func readableByteCount(from address: UInt) -> Int {
        if let arena, arena.contains(address) { return arena.byteCount - Int(address - arena.base) }
        for map in maps {
            let count = map.readableByteCount(from: address)
            if count > 0 { return count }
        }
        return 0
    }

    /// An address in a form that is the same in every run: relative to the arena or to the block. What is neither is
    /// no address of the world, but a number that the program has chosen: it stays as it is.
    package func stableAddress(_ address: UInt64) -> UInt64 {
        if let arena, arena.contains(UInt(address)) { return address - UInt64(arena.base) }
        return memory.contains(UInt(address)) ? address - UInt64(memory.address) : address
    }

    /// Bytes charged to the owner of this instance.
    package var memoryCharge: Int {
        let fixed = InstanceLayout.headByteCount + 8 * maps.count
        return maps.reduce(fixed) { $0 + $1.memoryCharge + $1.timerCharge }
    }

    /// The first map called `name`.
    package func map(named name: String) -> RuntimeMap? {
        maps.first { $0.description.name == name }
    }
}
