/// Loads, stores, atomics.
extension A64Assembler {
    /// Whether `[base, offset]` can be said in one instruction.
    static func isMemoryOffset(_ offset: Int, _ size: A64Size) -> Bool {
        (-256..<256).contains(offset)
            || (offset >= 0 && offset % size.byteCount == 0 && offset / size.byteCount < 4096)
    }

    /// Zero-extends to 64 bits.
    mutating func load(_ size: A64Size, _ dst: A64Register, _ base: A64Register, _ offset: Int = 0) {
        access(size, 1, dst, base, offset)
    }
    /// Sign-extends to 64 bits.
    mutating func loadSigned(_ size: A64Size, _ dst: A64Register, _ base: A64Register, _ offset: Int = 0) {
        precondition(size != .double)
        access(size, 2, dst, base, offset)
    }
    mutating func store(_ size: A64Size, _ base: A64Register, _ offset: Int = 0, _ src: A64Register) {
        access(size, 0, src, base, offset)
    }

    private mutating func access(
        _ size: A64Size, _ operation: UInt32, _ register: A64Register, _ base: A64Register, _ offset: Int
    ) {
        precondition(A64Assembler.isMemoryOffset(offset, size), "offset \(offset)")
        let fields = size.rawValue << 30 | operation << 22 | base.number << 5 | register.number
        if offset >= 0, offset % size.byteCount == 0 {
            put(0x3900_0000 | fields | UInt32(offset / size.byteCount) << 10)
        } else {
            put(0x3800_0000 | fields | (UInt32(bitPattern: Int32(offset)) & 0x1ff) << 12)
        }
    }

    /// `[sp, -16]!` = a pair.
    mutating func push(_ first: A64Register, _ second: A64Register) {
        put(0xa9bf_0000 | second.number << 10 | A64Register.sp.number << 5 | first.number)
    }
    mutating func pop(_ first: A64Register, _ second: A64Register) {
        put(0xa8c1_0000 | second.number << 10 | A64Register.sp.number << 5 | first.number)
    }

    // MARK: Atomics

    /// `dst` = what memory held; memory = that `operation` src. Acquires and releases.
    mutating func atomic(
        _ operation: A64Atomic, _ size: A64Size, src: A64Register, dst: A64Register, _ base: A64Register
    ) {
        put(operation.rawValue | size.rawValue << 30 | src.number << 16 | base.number << 5 | dst.number)
    }

    /// If memory holds `expected`, it becomes `new`; `expected` = what memory held.
    mutating func compareAndSwap(
        _ size: A64Size, expected: A64Register, new: A64Register, _ base: A64Register
    ) {
        put(0x08e0_fc00 | size.rawValue << 30 | expected.number << 16 | base.number << 5 | new.number)
    }

    mutating func loadAcquire(_ size: A64Size, _ dst: A64Register, _ base: A64Register) {
        put(0x08df_fc00 | size.rawValue << 30 | base.number << 5 | dst.number)
    }
    mutating func storeRelease(_ size: A64Size, _ base: A64Register, _ src: A64Register) {
        put(0x089f_fc00 | size.rawValue << 30 | base.number << 5 | src.number)
    }
    /// Loads and watches the address.
    mutating func loadExclusive(_ size: A64Size, _ dst: A64Register, _ base: A64Register) {
        put(0x085f_fc00 | size.rawValue << 30 | base.number << 5 | dst.number)
    }
    /// Stores if nobody else has since: `failed` is 0 then, else 1.
    mutating func storeExclusive(
        _ size: A64Size, _ base: A64Register, _ src: A64Register, failed: A64Register
    ) {
        put(0x0800_fc00 | size.rawValue << 30 | failed.number << 16 | base.number << 5 | src.number)
    }
    /// `dmb ish`.
    mutating func barrier() { put(0xd503_3bbf) }
}
