/// What a register or a stack slot holds: 64 bits, and where they came from.
///
/// The bits are real addresses, since helpers get them; the origin says what memory they may be used for. Arithmetic
/// keeps the origin of a pointer, and nothing makes an origin out of a number.
package struct Word: Equatable, Sendable {
    package var bits: UInt64
    package var origin: Origin

    package init(bits: UInt64, origin: Origin) {
        self.bits = bits
        self.origin = origin
    }

    package static func scalar(_ bits: UInt64) -> Word { Word(bits: bits, origin: .scalar) }
    package static let uninitialised = Word(bits: 0, origin: .uninitialised)
}

/// The object that a pointer points into or was derived from.
package enum Origin: Equatable, Sendable {
    /// Never written, or lost in a call.
    case uninitialised
    /// A number.
    case scalar
    /// The stack of one call; void once that call has returned.
    case stack(frame: Int, serial: UInt64)
    /// The array of argument slots.
    case context
    /// The memory region of `prog run`.
    case region
    /// The handle of a map: for helpers only.
    case map(Int)
    /// One value of a map, by the address of its first byte.
    case value(map: Int, start: UInt)
    /// A reserved record of a ring buffer, by the address of its first byte; void once it has been submitted or discarded.
    case record(map: Int, start: UInt)
    /// One object of the arena, by the address of its first byte.
    case arena(start: UInt)
    /// A key that a loop helper lends to its callback for one turn.
    case lent(serial: UInt64)
    /// A subprog, as a callback: its index.
    case function(Int)

    /// Whether memory can be reached through it.
    var isPointer: Bool {
        switch self {
        case .uninitialised, .scalar, .map, .function: false
        case .stack, .context, .region, .value, .record, .arena, .lent: true
        }
    }
}
