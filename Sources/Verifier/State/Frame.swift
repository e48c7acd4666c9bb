/// What is known of one byte of the stack.
enum StackByte: UInt8 {
    /// Never written: may not be read.
    case uninitialised = 0
    /// Part of a spilled register, `StackSlot.spill`.
    case spill = 1
    /// Written; nothing known of its value.
    case misc = 2
    case zero = 3
    /// Part of an object that only helpers and kfuncs touch: see `StackObject`.
    case opaque = 4
}

/// Eight aligned bytes of stack.
struct StackSlot: Equatable {
    /// `StackByte` of byte i (from the slot's lowest address) in bits 8i … 8i+7.
    private var kinds: UInt64 = 0
    /// Valid while byte 0 is `.spill` or `.opaque`; the spilled bytes are 0 ..< `spillByteCount`.
    var spill = Register.uninitialised

    subscript(byte: Int) -> StackByte {
        get { StackByte(rawValue: UInt8(truncatingIfNeeded: kinds >> UInt64(byte * 8))) ?? .uninitialised }
        set {
            let shift = UInt64(byte * 8)
            kinds = (kinds & ~(0xff << shift)) | UInt64(newValue.rawValue) << shift
        }
    }

    private static func all(_ kind: StackByte) -> UInt64 { UInt64(kind.rawValue) &* 0x0101_0101_0101_0101 }

    var isUninitialised: Bool { kinds == 0 }
    /// A whole register, of any kind.
    var isWholeSpill: Bool { kinds == StackSlot.all(.spill) }
    var isOpaque: Bool { kinds == StackSlot.all(.opaque) }
    var isZero: Bool { kinds == StackSlot.all(.zero) }
    var isMisc: Bool { kinds == StackSlot.all(.misc) }
    var hasSpill: Bool { self[0] == .spill }
    var isInitialised: Bool {
        for byte in 0..<8 where self[byte] == .uninitialised { return false }
        return true
    }

    func hasSameKinds(_ other: StackSlot) -> Bool { kinds == other.kinds }

    /// Bytes at the start that hold the low part of `spill`.
    var spillByteCount: Int {
        if isWholeSpill { return 8 }
        var count = 0
        while count < 8 && self[count] == .spill { count += 1 }
        return count
    }

    mutating func fill(_ kind: StackByte) {
        kinds = StackSlot.all(kind)
        spill = .uninitialised
    }

    mutating func store(whole register: Register) {
        kinds = StackSlot.all(.spill)
        spill = register
    }

    mutating func store(opaque register: Register) {
        kinds = StackSlot.all(.opaque)
        spill = register
    }

    /// Turns what is left of a spill, of which some bytes are about to change, into bytes of no known value.
    mutating func breakSpill() {
        guard self[0] == .spill || self[0] == .opaque else { return }
        // A spilled zero stays known byte by byte.
        let rest: StackByte = spill.isNullConstant && spill.dependencies == 0 ? .zero : .misc
        for byte in 0..<8 where self[byte] == .spill || self[byte] == .opaque { self[byte] = rest }
        spill = .uninitialised
    }
}

/// One function's activation.
struct Frame {
    /// R0 … R10. R10 is left out of no rule: it is an ordinary stack pointer that may not be written.
    var registers: [Register]
    /// Slot i covers R10-8(i+1) ..< R10-8i; slots past the end are uninitialised.
    var slots: [StackSlot] = []
    var subprog: Int
    /// The call, in the caller; -1 in the main function.
    var callSite: Int
    /// What calls this function back; nil: it is called, or the program itself.
    var callback: Callback?

    init(subprog: Int, callSite: Int, index: Int) {
        registers = Array(repeating: .uninitialised, count: 11)
        registers[10] = Register(kind: .stack, payload: index)
        self.subprog = subprog
        self.callSite = callSite
    }
}

/// Everything known at one point of one path.
struct State {
    var frames: [Frame]
    var held = Holdings()
    /// Which of `Explorer.entries` this path started from.
    var entry: Int32 = 0
    /// How often this path has drawn on fuel; saturates.
    var draws: UInt32 = 0
    /// Last entry of this path in the explorer's event list.
    var lastEvent: Int32 = -1

    var top: Int { frames.count - 1 }

    /// A register of the running function.
    subscript(register: Int) -> Register {
        get { frames[frames.count - 1].registers[register] }
        set { frames[frames.count - 1].registers[register] = newValue }
    }

    /// Applies `change` to every register and whole spill of all frames.
    mutating func forEachRegister(_ change: (inout Register) -> Void) {
        for frame in frames.indices {
            for register in 0..<10 { change(&frames[frame].registers[register]) }
            for slot in frames[frame].slots.indices where frames[frame].slots[slot].hasSpill {
                change(&frames[frame].slots[slot].spill)
            }
        }
    }
}
