/// One call of a function of the program: its registers and its 512 bytes of stack.
struct Frame {
    static let stackByteCount = 512
    static let slotCount = stackByteCount / 8

    let subprog: Int
    /// Tells this call from an earlier one at the same depth.
    let serial: UInt64
    /// Address of the lowest stack byte; R10 is `stackByteCount` above.
    let stackStart: UInt
    /// R0 … R10.
    var registers: [Word]
    /// By byte from `stackStart`: it has been written, or counts as if it had with zeros.
    var isInitialised: [Bool]
    /// By 8-byte slot: the origin of a pointer stored there whole; nil: bytes of numbers.
    var spills: [Origin?]

    init(
        subprog: Int, serial: UInt64, depth: Int, stackStart: UInt, isStackCleared: Bool, arguments: [Word]
    ) {
        self.subprog = subprog
        self.serial = serial
        self.stackStart = stackStart
        registers = [Word](repeating: .uninitialised, count: 11)
        for (index, word) in arguments.prefix(5).enumerated() { registers[index + 1] = word }
        registers[10] = Word(
            bits: UInt64(stackStart) + UInt64(Self.stackByteCount),
            origin: .stack(frame: depth, serial: serial))
        isInitialised = [Bool](repeating: isStackCleared, count: Self.stackByteCount)
        spills = [Origin?](repeating: nil, count: Self.slotCount)
    }

    /// Bytes `offset ..< offset + count` have been written with numbers.
    mutating func noteStore(at offset: Int, count: Int) {
        for at in offset..<offset + count {
            isInitialised[at] = true
            spills[at / 8] = nil
        }
    }
}
