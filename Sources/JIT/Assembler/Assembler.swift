/// Builds x86-64 machine code in an ordinary byte array, with labels.
///
/// Jumps to labels are put down in their long form and shortened by `finish` where the distance allows, so callers never
/// think about distances. Nothing here knows BPF.
///
/// Source: Intel SDM vol. 2, chapters 2 (encoding) and 3–6 (instructions).
struct Assembler {
    private(set) var bytes: [UInt8] = []
    /// Offset of each label; -1 until it is bound.
    private(set) var labelOffsets: [Int32]
    private(set) var fixups: [Fixup] = []

    /// A place that refers to a label, to be filled in when the distance is known.
    struct Fixup {
        enum Kind: Equatable {
            /// `jmp label`: 5 bytes, 2 when shortened.
            case jump
            /// `jcc label`: 6 bytes, 2 when shortened.
            case conditionalJump(Condition)
            /// The last four bytes of an instruction are a distance: call, rip-relative operands.
            case relative32
            /// Room before a loop, whose end is the label: one byte, which `finish` replaces by as many as it takes to have
            /// the loop in one cache line.
            case loopStart
        }
        var kind: Kind
        /// Offset of the instruction for jumps, of the field for `relative32`.
        var offset: Int32
        var label: Label

        var isJump: Bool {
            switch kind {
            case .jump, .conditionalJump: true
            case .relative32, .loopStart: false
            }
        }

        var longByteCount: Int32 {
            switch kind {
            case .jump: 5
            case .conditionalJump: 6
            case .relative32: 4
            case .loopStart: 1
            }
        }
    }

    /// - Parameter labelCount: labels 0 ..< labelCount exist from the start, unbound.
    init(labelCount: Int = 0, capacity: Int = 256) {
        labelOffsets = []
        // Steps get labels too, and some jump.
        labelOffsets.reserveCapacity(3 * labelCount + 16)
        labelOffsets.append(contentsOf: repeatElement(-1, count: labelCount))
        fixups.reserveCapacity(labelCount / 4 + 8)
        bytes.reserveCapacity(capacity)
    }

    /// Offset of the next instruction, before shortening.
    var offset: Int32 { Int32(truncatingIfNeeded: bytes.count) }

    mutating func makeLabel() -> Label {
        labelOffsets.append(-1)
        return Label(index: Int32(labelOffsets.count - 1))
    }

    /// Returns the index of the first of `count` labels in a row.
    mutating func makeLabels(_ count: Int) -> Int32 {
        labelOffsets.append(contentsOf: repeatElement(-1, count: count))
        return Int32(labelOffsets.count - count)
    }

    /// Puts `label` here. Each label is bound once.
    mutating func bind(_ label: Label) {
        precondition(labelOffsets[Int(label.index)] < 0, "label \(label.index) bound twice")
        labelOffsets[Int(label.index)] = offset
    }

    /// Puts `label` here unless it has a place.
    mutating func bindFirst(_ label: Label) {
        if labelOffsets[Int(label.index)] < 0 { labelOffsets[Int(label.index)] = offset }
    }

    // MARK: Bytes

    @inline(__always)
    mutating func put(_ byte: UInt8) { bytes.append(byte) }

    mutating func put32(_ value: Int32) {
        let bits = UInt32(bitPattern: value)
        put(UInt8(truncatingIfNeeded: bits))
        put(UInt8(truncatingIfNeeded: bits >> 8))
        put(UInt8(truncatingIfNeeded: bits >> 16))
        put(UInt8(truncatingIfNeeded: bits >> 24))
    }

    mutating func put64(_ value: UInt64) {
        put32(Int32(truncatingIfNeeded: value))
        put32(Int32(truncatingIfNeeded: value >> 32))
    }

    /// Puts the low bits of an immediate: 1, 2 or 4 bytes (a 64-bit instruction sign-extends a 32-bit immediate).
    mutating func putImmediate(_ value: Int32, _ width: Width) {
        switch width {
        case .b8: put(UInt8(truncatingIfNeeded: value))
        case .b16:
            put(UInt8(truncatingIfNeeded: value))
            put(UInt8(truncatingIfNeeded: value >> 8))
        case .b32, .b64: put32(value)
        }
    }

    // MARK: References to labels

    mutating func jump(_ label: Label) {
        fixups.append(Fixup(kind: .jump, offset: offset, label: label))
        put(0xe9)
        put32(0)
    }

    mutating func jump(_ condition: Condition, _ label: Label) {
        fixups.append(Fixup(kind: .conditionalJump(condition), offset: offset, label: label))
        put(0x0f)
        put(0x80 | condition.rawValue)
        put32(0)
    }

    mutating func call(_ label: Label) {
        put(0xe8)
        putDistance(to: label)
    }

    /// `lea destination, [rip + label]`: an address inside the code, wherever it is loaded.
    mutating func loadAddress(_ destination: Register, of label: Label) {
        put(0x48 | (destination.rawValue >> 3) << 2)
        put(0x8d)
        put((destination.rawValue & 7) << 3 | 0b101)
        putDistance(to: label)
    }

    /// `call [rip + label]`: through an 8-byte address stored at the label.
    mutating func callThrough(_ label: Label) {
        put(0xff)
        put(2 << 3 | 0b101)
        putDistance(to: label)
    }

    /// What follows, up to `end`, should lie in one cache line if it fits: the processor fetches instructions it has decoded
    /// line by line, and a loop of a few instructions in two lines takes up to twice the time.
    mutating func startLoop(until end: Label) {
        fixups.append(Fixup(kind: .loopStart, offset: offset, label: end))
        put(0x90)
    }

    private mutating func putDistance(to label: Label) {
        fixups.append(Fixup(kind: .relative32, offset: offset, label: label))
        put32(0)
    }
}
