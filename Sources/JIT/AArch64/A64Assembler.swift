/// Builds AArch64 machine code as 32-bit words, with labels. Nothing here knows BPF.
///
/// Source: Arm Architecture Reference Manual for A-profile (DDI 0487), chapters C4 (encodings) and C6 (instructions).
struct A64Assembler {
    private(set) var words: [UInt32] = []
    /// Index of the word at each label; -1 until it is bound.
    private var labelPositions: [Int32]
    private var fixups: [Fixup] = []

    /// A word that refers to a label, to be filled in when the distance is known.
    private struct Fixup {
        enum Kind {
            /// b, bl: ±128 MiB.
            case branch26
            /// b.cond, cbz: ±1 MiB.
            case branch19
            /// adr: ±1 MiB, in bytes.
            case address21
        }
        var kind: Kind
        var position: Int32
        var label: Label
    }

    /// - Parameter labelCount: labels 0 ..< labelCount exist from the start, unbound.
    init(labelCount: Int = 0, capacity: Int = 64) {
        labelPositions = [Int32](repeating: -1, count: labelCount)
        words.reserveCapacity(capacity)
    }

    mutating func makeLabel() -> Label {
        labelPositions.append(-1)
        return Label(index: Int32(labelPositions.count - 1))
    }

    /// Puts `label` here. Each label is bound once.
    mutating func bind(_ label: Label) {
        precondition(labelPositions[Int(label.index)] < 0, "label \(label.index) bound twice")
        labelPositions[Int(label.index)] = Int32(words.count)
    }

    mutating func put(_ word: UInt32) { words.append(word) }

    private mutating func put(_ word: UInt32, _ kind: Fixup.Kind, _ label: Label) {
        fixups.append(Fixup(kind: kind, position: Int32(words.count), label: label))
        put(word)
    }

    // MARK: Branches

    mutating func branch(_ label: Label) { put(0x1400_0000, .branch26, label) }
    mutating func call(_ label: Label) { put(0x9400_0000, .branch26, label) }
    mutating func branch(_ condition: A64Condition, _ label: Label) {
        put(0x5400_0000 | condition.rawValue, .branch19, label)
    }
    mutating func branchIfZero(_ width: A64Width, _ register: A64Register, _ label: Label) {
        put(0x3400_0000 | width.rawValue << 31 | register.number, .branch19, label)
    }
    mutating func branchIfNotZero(_ width: A64Width, _ register: A64Register, _ label: Label) {
        put(0x3500_0000 | width.rawValue << 31 | register.number, .branch19, label)
    }
    mutating func branch(to register: A64Register) { put(0xd61f_0000 | register.number << 5) }
    mutating func call(_ register: A64Register) { put(0xd63f_0000 | register.number << 5) }
    mutating func ret() { put(0xd65f_03c0) }
    /// `brk #0`: ends the process.
    mutating func trap() { put(A64Assembler.trapWord) }
    static let trapWord: UInt32 = 0xd420_0000

    /// An address inside the code, wherever it is loaded.
    mutating func loadAddress(_ dst: A64Register, of label: Label) {
        put(0x1000_0000 | dst.number, .address21, label)
    }

    // MARK: Finishing

    struct Output {
        /// Little endian, as instructions are whatever the data's order.
        var bytes: [UInt8]
        /// Offsets in bytes of the labels that were asked for; -1 for those never bound.
        var labelOffsets: [Int32]
    }

    /// Fills in all distances. - Returns: nil if one is too long for its instruction.
    consuming func finish(reporting labelCount: Int = 0) -> Output? {
        for fixup in fixups {
            let target = labelPositions[Int(fixup.label.index)]
            precondition(target >= 0, "label \(fixup.label.index) was never bound")
            guard let field = A64Assembler.field(fixup.kind, distance: target - fixup.position) else {
                return nil
            }
            words[Int(fixup.position)] |= field
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * words.count)
        for word in words {
            for shift: UInt32 in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        return Output(bytes: bytes, labelOffsets: labelPositions[..<labelCount].map { $0 < 0 ? -1 : 4 * $0 })
    }

    /// A distance in words as the bits of its instruction.
    private static func field(_ kind: Fixup.Kind, distance: Int32) -> UInt32? {
        func fits(_ bits: Int32) -> Bool { distance >= -(1 << (bits - 1)) && distance < 1 << (bits - 1) }
        let bits = UInt32(bitPattern: distance)
        switch kind {
        case .branch26: return fits(26) ? bits & 0x3ff_ffff : nil
        case .branch19: return fits(19) ? (bits & 0x7_ffff) << 5 : nil
        // The two lowest bits of the distance in bytes, which have a field of their own, are 0.
        case .address21: return fits(19) ? (bits & 0x7_ffff) << 5 : nil
        }
    }
}
