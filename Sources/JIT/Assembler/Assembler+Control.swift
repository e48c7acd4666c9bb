/// Stack, calls, atomics, traps.
extension Assembler {
    mutating func push(_ register: Register) {
        if register.rawValue >= 8 { put(0x41) }
        put(0x50 | register.rawValue & 7)
    }

    mutating func pop(_ register: Register) {
        if register.rawValue >= 8 { put(0x41) }
        put(0x58 | register.rawValue & 7)
    }

    /// rsp = rbp, then pop rbp.
    mutating func leave() { put(0xc9) }

    mutating func ret() { put(0xc3) }

    /// Raises SIGILL: what stands where no path leads.
    mutating func trap() {
        put(0x0f)
        put(0x0b)
    }

    /// A hint that this is a loop which waits.
    mutating func pause() {
        put(0xf3)
        put(0x90)
    }

    /// Nothing behind it starts before all loads before it are done.
    mutating func loadFence() {
        put(0x0f)
        put(0xae)
        put(0xe8)
    }

    mutating func call(_ register: Register) {
        if register.rawValue >= 8 { put(0x41) }
        put(0xff)
        put(0xd0 | register.rawValue & 7)
    }

    mutating func jump(_ register: Register) {
        if register.rawValue >= 8 { put(0x41) }
        put(0xff)
        put(0xe0 | register.rawValue & 7)
    }

    /// Makes the next instruction atomic; it must be a read-modify-write of memory.
    mutating func lock() { put(0xf0) }

    /// Atomic by itself: `xchg` with memory implies `lock`.
    mutating func exchange(_ width: Width, _ memory: Memory, _ register: Register) {
        encode(width, 0x87, reg: register.rawValue, memory: memory)
    }

    /// memory += register; register = what memory held.
    mutating func exchangeAdd(_ width: Width, _ memory: Memory, _ register: Register) {
        encode(width, 0x0fc1, reg: register.rawValue, memory: memory)
    }

    /// If memory equals rax, memory = register; else rax = memory. A 32-bit form that finds them equal leaves all of rax.
    mutating func compareExchange(_ width: Width, _ memory: Memory, _ register: Register) {
        encode(width, 0x0fb1, reg: register.rawValue, memory: memory)
    }
}
