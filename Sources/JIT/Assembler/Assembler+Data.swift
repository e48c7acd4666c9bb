/// Moves, loads, stores, extensions.
extension Assembler {
    /// A 32-bit move clears the upper half.
    mutating func move(_ width: Width, _ destination: Register, _ source: Register) {
        encode(width, 0x89, reg: source.rawValue, rm: destination)
    }

    /// Sets all 64 bits, by the shortest instruction that leaves the flags alone.
    mutating func move(_ destination: Register, constant: UInt64) {
        if constant <= UInt64(UInt32.max) {
            if destination.rawValue >= 8 { put(0x41) }
            put(0xb8 | destination.rawValue & 7)
            put32(Int32(bitPattern: UInt32(truncatingIfNeeded: constant)))
        } else if let signed = Int32(exactly: Int64(bitPattern: constant)) {
            encode(.b64, 0xc7, reg: 0, rm: destination)
            put32(signed)
        } else {
            put(0x48 | destination.rawValue >> 3)
            put(0xb8 | destination.rawValue & 7)
            put64(constant)
        }
    }

    /// Sets all 64 bits to 0. Changes the flags.
    mutating func clear(_ destination: Register) {
        encode(.b32, 0x31, reg: destination.rawValue, rm: destination)
    }

    /// Sets all 64 bits; shorter than `move(_:constant:)` for 0. Changes the flags.
    mutating func set(_ destination: Register, _ constant: UInt64) {
        if constant == 0 { clear(destination) } else { move(destination, constant: constant) }
    }

    /// Loads `width` bits and clears the rest of the register.
    mutating func load(_ width: Width, _ destination: Register, _ source: Memory) {
        switch width {
        case .b8: encode(.b32, 0x0fb6, reg: destination.rawValue, memory: source)
        case .b16: encode(.b32, 0x0fb7, reg: destination.rawValue, memory: source)
        case .b32, .b64: encode(width, 0x8b, reg: destination.rawValue, memory: source)
        }
    }

    /// Loads `width` bits and extends their sign to 64.
    mutating func loadSigned(_ width: Width, _ destination: Register, _ source: Memory) {
        switch width {
        case .b8: encode(.b64, 0x0fbe, reg: destination.rawValue, memory: source)
        case .b16: encode(.b64, 0x0fbf, reg: destination.rawValue, memory: source)
        case .b32: encode(.b64, 0x63, reg: destination.rawValue, memory: source)
        case .b64: load(.b64, destination, source)
        }
    }

    mutating func store(_ width: Width, _ destination: Memory, _ source: Register) {
        let isByte = width == .b8
        encode(
            width, isByte ? 0x88 : 0x89, reg: source.rawValue, memory: destination, byteReg: isByte)
    }

    /// Stores the low bits of `constant`; a 64-bit store extends its sign.
    mutating func store(_ width: Width, _ destination: Memory, constant: Int32) {
        encode(width, width == .b8 ? 0xc6 : 0xc7, reg: 0, memory: destination)
        putImmediate(constant, width)
    }

    /// Of 32 bits only the lower half of the sum is kept, and the upper half cleared.
    mutating func loadAddress(_ width: Width, _ destination: Register, _ memory: Memory) {
        encode(width, 0x8d, reg: destination.rawValue, memory: memory)
    }

    /// Clears all bits above `width`. Nothing to do for 64.
    mutating func zeroExtend(_ width: Width, _ destination: Register, _ source: Register) {
        switch width {
        case .b8: encode(.b32, 0x0fb6, reg: destination.rawValue, rm: source, byteRM: true)
        case .b16: encode(.b32, 0x0fb7, reg: destination.rawValue, rm: source)
        case .b32, .b64: move(width, destination, source)
        }
    }

    /// Copies the sign of the low `from` bits up to `to` (32 or 64); a 32-bit result has a clear upper half.
    mutating func signExtend(from: Width, to: Width, _ destination: Register, _ source: Register) {
        switch from {
        case .b8: encode(to, 0x0fbe, reg: destination.rawValue, rm: source, byteRM: true)
        case .b16: encode(to, 0x0fbf, reg: destination.rawValue, rm: source)
        case .b32 where to == .b64: encode(.b64, 0x63, reg: destination.rawValue, rm: source)
        case .b32, .b64: move(to, destination, source)
        }
    }

    /// `movbe`: loads 16, 32 or 64 bits with their bytes reversed; 16 leave the rest of the register alone.
    mutating func loadSwapped(_ width: Width, _ destination: Register, _ source: Memory) {
        encode(width, 0x0f38f0, reg: destination.rawValue, memory: source)
    }

    /// `movbe`: stores 16, 32 or 64 bits with their bytes reversed.
    mutating func storeSwapped(_ width: Width, _ destination: Memory, _ source: Register) {
        encode(width, 0x0f38f1, reg: source.rawValue, memory: destination)
    }

    /// Reverses the bytes of a register of 32 or 64 bits.
    mutating func swapBytes(_ width: Width, _ register: Register) {
        let rex = (width == .b64 ? 8 : 0) | register.rawValue >> 3
        if rex != 0 { put(0x40 | rex) }
        put(0x0f)
        put(0xc8 | register.rawValue & 7)
    }
}
