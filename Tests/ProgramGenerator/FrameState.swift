/// What the generator knows about one function while it writes it.
///
/// Invariant between statements: R0 and R7–R9 are numbers, R6 is the context memory (or nothing), R1–R5 are numbers or
/// nothing. So branches and loops join without effort; pointers live inside one statement only.
struct FrameState {
    enum Kind: Equatable {
        case nothing
        case number
        /// In use by a surrounding statement: may be read as a number if `isNumber`, never written.
        case pinned(isNumber: Bool)
        case context
    }

    var kinds = [Kind](repeating: .nothing, count: 10)
    /// By byte below R10: byte i is at R10 - 1 - i. Written on every path.
    var isWritten: [Bool]
    /// Bytes that hold a spilled pointer or a key that a helper reads: not for ordinary statements.
    var isReserved: [Bool]

    init(stackBytes: Int) {
        isWritten = [Bool](repeating: false, count: stackBytes)
        isReserved = isWritten
    }

    /// Registers that may be written.
    var writable: [UInt8] { (UInt8(0)...9).filter { kinds[Int($0)] == .number || isScratch($0) } }
    /// Registers that hold a number.
    var numbers: [UInt8] {
        (UInt8(0)...9).filter { kinds[Int($0)] == .number || kinds[Int($0)] == .pinned(isNumber: true) }
    }
    /// Registers that hold a number and may be changed.
    var changeable: [UInt8] { (UInt8(0)...9).filter { kinds[Int($0)] == .number } }

    private func isScratch(_ register: UInt8) -> Bool {
        kinds[Int(register)] == .nothing && (1...5).contains(register)
    }

    /// A call: R1–R5 are gone, unless nothing may touch them anyway.
    mutating func clobberCallerSaved() {
        for register in 1...5 { kinds[register] = .nothing }
        kinds[0] = .number
    }

    /// What holds after either of two paths.
    mutating func join(_ other: FrameState) {
        for register in kinds.indices where kinds[register] != other.kinds[register] {
            kinds[register] = .nothing
        }
        for byte in isWritten.indices { isWritten[byte] = isWritten[byte] && other.isWritten[byte] }
    }

    // MARK: Stack

    /// Whether `count` bytes from R10 + offset are written and free to use.
    func isReadable(offset: Int, count: Int) -> Bool {
        (0..<count).allSatisfy { isWritten[-offset - 1 - $0] && !isReserved[-offset - 1 - $0] }
    }
    func isFree(offset: Int, count: Int) -> Bool { (0..<count).allSatisfy { !isReserved[-offset - 1 - $0] } }

    mutating func markWritten(offset: Int, count: Int) {
        for i in 0..<count { isWritten[-offset - 1 - i] = true }
    }
    mutating func reserve(offset: Int, count: Int, _ reserved: Bool = true) {
        for i in 0..<count { isReserved[-offset - 1 - i] = reserved }
    }
}
