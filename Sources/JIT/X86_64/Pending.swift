/// A value that no instruction has computed yet: what a step register will hold as soon as somebody asks for it.
///
/// Most results are wanted once, by the next instruction or two, and x86-64 can compute many of them there: as an
/// address, an immediate, a memory operand. So steps only note what they would compute, and code appears where a value
/// is wanted in a register. What nobody wants is never computed.
///
/// `base`, `index` and `operand` stand for what the *machine* registers of those step registers hold now.
struct Pending: Equatable {
    enum Kind: UInt8 {
        /// The machine register holds the value.
        case none
        case constant
        /// base + index × scale + displacement.
        case address
        /// What lies at that address.
        case load
        /// What lies there, changed by `operation`: half of a read-modify-write.
        case update
        /// (base >> shift) & constant.
        case bits
        /// base << shift.
        case shiftLeft
    }

    static let noRegister: UInt8 = 31
    /// The instance block, as a base.
    static let blockRegister: UInt8 = 16

    var kind = Kind.none
    var base = noRegister
    var index = noRegister
    var scale: UInt8 = 1
    /// Of the result (`address`, `update`, `shiftLeft`) or of the source (`bits`) only the lower 32 bits count.
    var isNarrow = false
    var isSigned = false
    /// Of the memory operand.
    var width = Width.b64
    var operation = ALUOperation.add
    /// The second operand of an `update`; none: `constant`.
    var operand = noRegister
    var shift: UInt8 = 0
    var displacement: Int32 = 0
    /// The value, the mask, or the operand.
    var constant: UInt64 = 0

    static let none = Pending()

    static func constant(_ value: UInt64) -> Pending {
        var pending = Pending()
        pending.kind = .constant
        pending.constant = value
        return pending
    }

    static func copy(of register: UInt8, isNarrow: Bool = false) -> Pending {
        var pending = Pending()
        pending.kind = .address
        pending.base = register
        pending.isNarrow = isNarrow
        return pending
    }

    static func bits(_ base: UInt8, shift: UInt8, mask: UInt64, isNarrow: Bool) -> Pending {
        var pending = Pending()
        pending.kind = .bits
        pending.base = base
        pending.shift = shift
        pending.constant = isNarrow ? mask & 0xffff_ffff : mask
        pending.isNarrow = isNarrow
        return pending
    }

    static func shiftLeft(_ base: UInt8, by count: UInt8, isNarrow: Bool) -> Pending {
        var pending = Pending()
        pending.kind = .shiftLeft
        pending.base = base
        pending.shift = count
        pending.isNarrow = isNarrow
        return pending
    }

    /// Registers whose machine registers must keep their contents, as bits 0…31. (Bit 31 stands for none.)
    var dependencies: UInt32 {
        (1 << UInt32(base) | 1 << UInt32(index) | 1 << UInt32(operand)) & 0x7fff_ffff
    }

    /// Nothing but another register, maybe cut to its lower half.
    var isCopy: Bool {
        kind == .address && index == Pending.noRegister && displacement == 0
            && base != Pending.noRegister && base != 10 && base != Pending.blockRegister
    }
    var isWholeCopy: Bool { isCopy && !isNarrow }

    var isMemory: Bool { kind == .load || kind == .update }

    /// Whether both lie at the same address, if both are memory operands or addresses.
    func isSamePlace(as other: Pending) -> Bool {
        base == other.base && index == other.index && scale == other.scale
            && displacement == other.displacement
    }

    /// The sum, if one address can express it.
    func adding(_ other: Pending) -> Pending? {
        let (sum, overflow) = displacement.addingReportingOverflow(other.displacement)
        guard !overflow else { return nil }
        let other = other.doubled
        var result = doubled
        result.displacement = sum
        for (register, scale) in [(other.base, UInt8(1)), (other.index, other.scale)]
        where register != Pending.noRegister {
            if !result.addTerm(register, scale) { return nil }
        }
        return result
    }

    /// x + x as x × 2, which leaves room for another term.
    private var doubled: Pending {
        guard base == index, scale == 1, base != Pending.noRegister else { return self }
        var value = self
        value.base = Pending.noRegister
        value.scale = 2
        return value
    }

    private mutating func addTerm(_ register: UInt8, _ factor: UInt8) -> Bool {
        if factor == 1, base == Pending.noRegister {
            base = register
        } else if index == Pending.noRegister, Pending.canBeIndex(register) {
            index = register
            scale = factor
        } else if index == Pending.noRegister, Pending.canBeIndex(base) {
            index = base
            scale = 1
            base = register
        } else {
            return false
        }
        return true
    }

    /// rsp cannot, so neither can R10; the block is no step register.
    private static func canBeIndex(_ register: UInt8) -> Bool { register != 10 && register < blockRegister }
}
