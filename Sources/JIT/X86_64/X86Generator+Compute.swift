/// Code for values that are wanted in a register.
extension X86Generator {
    mutating func compute(_ value: Pending, into target: Register) {
        let offset = flags.offset, areKept = offset == assembler.offset && flags.register != target
        emit(value, into: target)
        // Moves, `lea` and loads leave the flags alone; whatever else these may become has noted its own.
        guard areKept, flags.offset == offset else { return }
        switch value.kind {
        case .address, .load, .bits: flags.offset = assembler.offset
        case .none, .constant, .update, .shiftLeft: break
        }
    }

    private mutating func emit(_ value: Pending, into target: Register) {
        switch value.kind {
        case .none: break
        case .constant: assembler.set(target, value.constant)
        case .address: computeAddress(value, into: target)
        case .load: load(value, into: target)
        case .update:
            load(value, into: target)
            let width: Width = value.isNarrow ? .b32 : .b64
            if value.operand == Pending.noRegister {
                assembler.alu(
                    value.operation, width, target, constant: Int32(truncatingIfNeeded: value.constant))
            } else {
                assembler.alu(value.operation, width, target, machine(value.operand))
            }
        case .bits: computeBits(value, into: target)
        case .shiftLeft:
            let width: Width = value.isNarrow ? .b32 : .b64
            move(width, target, machine(value.base))
            assembler.shift(.shl, width, target, count: value.shift)
            noteFlags(target, width)
        }
    }

    private mutating func load(_ value: Pending, into target: Register) {
        if value.isSigned {
            assembler.loadSigned(value.width, target, memory(value))
        } else {
            assembler.load(value.width, target, memory(value))
        }
    }

    /// A move, unless it would change nothing.
    mutating func move(_ width: Width, _ target: Register, _ source: Register) {
        if target != source { assembler.move(width, target, source) }
    }

    mutating func noteFlags(_ register: Register, _ width: Width) {
        flags = (register, width, assembler.offset)
    }

    // MARK: Addresses

    private mutating func computeAddress(_ value: Pending, into target: Register) {
        let width: Width = value.isNarrow ? .b32 : .b64
        guard value.base != Pending.noRegister else { return computeScaled(value, width, into: target) }
        let place = memory(value)
        guard let index = place.index else { return computeSum(place, width, into: target) }
        let isSum = place.scale == 1 && place.displacement == 0
        if isSum, place.base == target {
            assembler.alu(.add, width, target, index)
            noteFlags(target, width)
        } else if isSum, index == target {
            assembler.alu(.add, width, target, place.base)
            noteFlags(target, width)
        } else {
            assembler.loadAddress(width, target, place)
        }
    }

    /// base + displacement.
    private mutating func computeSum(_ place: Memory, _ width: Width, into target: Register) {
        if place.displacement == 0 {
            // A narrow copy of a register to itself clears its upper half.
            if target != place.base || width == .b32 { assembler.move(width, target, place.base) }
        } else if target == place.base {
            if place.displacement == 128 {
                // -128 fits into a byte.
                assembler.alu(.sub, width, target, constant: -128)
            } else {
                assembler.alu(.add, width, target, constant: place.displacement)
            }
            noteFlags(target, width)
        } else {
            assembler.loadAddress(width, target, place)
        }
    }

    /// index × scale + displacement, which as one instruction would always carry four bytes of displacement.
    private mutating func computeScaled(_ value: Pending, _ width: Width, into target: Register) {
        move(width, target, machine(value.index))
        assembler.shift(.shl, width, target, count: UInt8(value.scale.trailingZeroBitCount))
        if value.displacement != 0 { assembler.alu(.add, width, target, constant: value.displacement) }
        noteFlags(target, width)
    }

    // MARK: Bit fields

    /// (base >> shift) & mask, by the shortest way.
    private mutating func computeBits(_ value: Pending, into target: Register) {
        let source = machine(value.base), mask = value.constant, shift = value.shift
        let width: Width = value.isNarrow ? .b32 : .b64
        let all: UInt64 = (width == .b32 ? 0xffff_ffff : .max) >> UInt64(shift)
        if shift == 0 {
            switch mask {
            case 0xff: return assembler.zeroExtend(.b8, target, source)
            case 0xffff: return assembler.zeroExtend(.b16, target, source)
            case 0xffff_ffff: return assembler.move(.b32, target, source)
            default: break
            }
        } else {
            move(width, target, source)
            assembler.shift(.shr, width, target, count: shift)
            noteFlags(target, width)
            if mask & all == all { return }
        }
        let current = shift == 0 ? source : target
        switch mask {
        case 0xff: return assembler.zeroExtend(.b8, target, current)
        case 0xffff: return assembler.zeroExtend(.b16, target, current)
        case 0xffff_ffff: return assembler.move(.b32, target, current)
        default: computeMask(mask, from: current, width, into: target)
        }
    }

    private mutating func computeMask(
        _ mask: UInt64, from source: Register, _ width: Width, into target: Register
    ) {
        if mask <= 0xffff_ffff {
            // A 32-bit operation clears the upper half, as the mask does.
            move(.b32, target, source)
            assembler.alu(.and, .b32, target, constant: Int32(truncatingIfNeeded: mask))
            noteFlags(target, .b32)
        } else if let constant = Int32(exactly: Int64(bitPattern: mask)) {
            move(.b64, target, source)
            assembler.alu(.and, .b64, target, constant: constant)
            noteFlags(target, .b64)
        } else {
            // The low bits, more than 32 of them: nothing else gets a wide mask.
            let above = UInt8(mask.leadingZeroBitCount)
            move(.b64, target, source)
            assembler.shift(.shl, .b64, target, count: above)
            assembler.shift(.shr, .b64, target, count: above)
            noteFlags(target, .b64)
        }
    }
}
