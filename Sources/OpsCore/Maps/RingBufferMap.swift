import Glibc
import Verifier

/// `BPF_MAP_TYPE_RINGBUF`: records of any size, written by programs in order and read by whoever consumes them.
///
/// ```
///        consumer                    producer            positions only grow; they are taken modulo the size
///  ───────┬──────────┬──────────┬───────┬─────────
///         │hdr record│hdr record│hdr …  │
///  ───────┴──────────┴──────────┴───────┴─────────
/// ```
/// A record has an 8-byte header: its length with the bits *busy* (reserved, not submitted yet) and *discarded*. The
/// consumer stops at the first busy one. Memory is mirrored, so no record is ever split.
///
/// Kernel counterpart: `ringbuf_map_ops`, whose positions, limits and errnos are these. Differs: there is no user
/// space that maps it, so the two pages of positions and the waking of a reader do not exist.
///
/// Invariant: consumer ≤ producer ≤ consumer + size; every 8-aligned position between them that a record starts at has
/// its header there, written by this type alone: programs get the bytes behind it only.
@safe final class RingBufferMap: RuntimeMap {
    enum Bits {
        static let busy: UInt32 = 1 << 31
        static let discarded: UInt32 = 1 << 30
        static let length: UInt32 = Bits.discarded - 1
    }
    static let headerByteCount = 8
    /// RINGBUF_MAX_RECORD_SZ.
    static let recordByteCountMax = UInt64(UInt32.max / 4)

    private let region: MirroredRegion
    private let mask: UInt64
    private(set) var producer: UInt64 = 0
    private(set) var consumer: UInt64 = 0
    /// The instance's count of what waits for quiescence.
    private let memory: BlockMemory

    /// - Throws: ENOMEM beyond `limit` bytes, EMFILE.
    init(
        _ description: MapDescription, index: Int, special: SpecialFields, limit: Int, memory: BlockMemory
    ) throws(OpsError) {
        guard description.maxEntries <= limit else { throw description.exceeds(limit) }
        region = try MirroredRegion(
            byteCount: description.maxEntries, purpose: "map '\(description.name)'")
        mask = UInt64(description.maxEntries - 1)
        self.memory = memory
        super.init(description, index: index, special: special, memory: memory)
    }

    var address: UInt { region.address }
    override var memoryCharge: Int { region.byteCount }
    /// Records that wait for a consumer, busy and discarded ones included.
    override var count: Int {
        var count = 0
        var at = consumer
        while at < producer {
            at += stride(of: header(at))
            count += 1
        }
        return count
    }

    // MARK: Headers. SAFETY of all: positions are 8-aligned and taken modulo the size, so 8 bytes lie in the region.

    private func start(_ position: UInt64) -> UnsafeMutableRawPointer {
        unsafe region.base + Int(position & mask)
    }
    private func header(_ position: UInt64) -> UInt32 { unsafe start(position).load(as: UInt32.self) }
    private func setHeader(_ header: UInt32, at position: UInt64) {
        unsafe start(position).storeBytes(of: header, as: UInt32.self)
    }
    /// Bytes from one record to the next.
    private func stride(of header: UInt32) -> UInt64 { Self.stride(UInt64(header & Bits.length)) }
    private static func stride(_ length: UInt64) -> UInt64 { (length + UInt64(headerByteCount) + 7) & ~7 }

    /// The position of the record whose bytes start at `address`; nil: none does, or it is not reserved.
    private func position(ofReserved address: UInt) -> UInt64? {
        let offset = address &- region.address &- UInt(Self.headerByteCount)
        guard offset <= UInt(mask), offset.isMultiple(of: 8) else { return nil }
        let position = consumer + ((UInt64(offset) &- consumer) & mask)
        guard position < producer, header(position) & Bits.busy != 0 else { return nil }
        return position
    }

    // MARK: For programs

    /// Room for a record of `byteCount` bytes; nil: none. Its bytes are whatever lay there.
    func reserve(_ byteCount: UInt64) -> UnsafeMutableRawPointer? {
        guard byteCount <= Self.recordByteCountMax else { return nil }
        let next = producer + Self.stride(byteCount)
        guard next - producer <= UInt64(region.byteCount), next - consumer <= mask else { return nil }
        let record = unsafe start(producer) + Self.headerByteCount
        setHeader(UInt32(byteCount) | Bits.busy, at: producer)
        producer = next
        return unsafe record
    }

    /// Length of the reserved record at `address`; nil: there is none.
    func reservedByteCount(at address: UInt) -> Int? {
        position(ofReserved: address).map { Int(header($0) & Bits.length) }
    }

    /// Hands a reserved record over to the consumer, who skips it if it is discarded. - Returns: whether there was one.
    func commit(_ address: UInt, discards: Bool) -> Bool {
        guard let position = position(ofReserved: address) else { return false }
        setHeader(header(position) & Bits.length | (discards ? Bits.discarded : 0), at: position)
        memory.noteRecord()
        return true
    }

    /// Answers `bpf_ringbuf_query`; 0 for what it does not know.
    func query(_ what: UInt64) -> UInt64 {
        switch what {
        case 0: producer - consumer  // BPF_RB_AVAIL_DATA
        case 1: mask + 1  // BPF_RB_RING_SIZE
        case 2: consumer  // BPF_RB_CONS_POS
        case 3: producer  // BPF_RB_PROD_POS
        default: 0
        }
    }

    // MARK: For the consumer

    /// Takes out all records up to the first that is still being written, oldest first. Discarded ones are skipped.
    func consume(_ body: (UnsafeRawBufferPointer) -> Void) {
        while consumer < producer {
            let header = header(consumer)
            guard header & Bits.busy == 0 else { return }
            if header & Bits.discarded == 0 {
                let start = unsafe start(consumer) + Self.headerByteCount
                // SAFETY: a record lies in the mirrored region in one piece.
                unsafe body(UnsafeRawBufferPointer(start: start, count: Int(header & Bits.length)))
            }
            consumer += stride(of: header)
        }
    }

    override func readableByteCount(from address: UInt) -> Int {
        let offset = address &- region.address
        return offset < UInt(2 * region.byteCount) ? 2 * region.byteCount - Int(offset) : 0
    }

    // MARK: For the control plane: no keys, no values.

    override func copyOut(_ key: [UInt8]) throws(OpsError) -> [UInt8] { throw noElements("lookup") }
    override func copyIn(_ key: [UInt8], _ value: [UInt8], flags: UInt64) throws(OpsError) {
        throw noElements("update")
    }
    override func remove(_ key: [UInt8]) throws(OpsError) { throw noElements("delete") }

    private func noElements(_ what: String) -> OpsError { error(OpsError.enotsupp, what) }

    /// The records that wait, oldest first, without taking them out. Differs: the kernel lists nothing.
    override func allElements(limit: Int) throws(OpsError) -> [(key: [UInt8], value: [UInt8])] {
        var all: [(key: [UInt8], value: [UInt8])] = []
        var at = consumer
        while at < producer, all.count < limit {
            let header = header(at)
            guard header & Bits.busy == 0 else { break }
            if header & Bits.discarded == 0 {
                // SAFETY: as in `consume`.
                let bytes = unsafe UnsafeRawBufferPointer(
                    start: start(at) + Self.headerByteCount, count: Int(header & Bits.length))
                unsafe all.append(([], [UInt8](bytes)))
            }
            at += stride(of: header)
        }
        return all
    }
}
