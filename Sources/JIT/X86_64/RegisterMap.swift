import CShim

/// Where BPF registers live. R1–R5 stand where a C function expects its arguments and R0 where it returns, so calls of
/// helpers move nothing; R6–R9 are registers that a C function keeps.
enum RegisterMap {
    static let machine: [Register] = [
        .rax,  // R0
        .rdi, .rsi, .rdx, .rcx, .r8,  // R1–R5
        .rbx, .r13, .r14, .r15,  // R6–R9
        .rbp,  // R10, the frame
    ]
    /// The instance block, in every body that uses it; others may keep values there.
    static let block = Register.r12
    /// Free between BPF instructions, lost at calls. r9 also carries the block into helpers, as their sixth argument.
    static let scratch1 = Register.r11
    static let scratch2 = Register.r10
    static let scratch3 = Register.r9
    /// Where System V passes the first six integer arguments; the first five are R1–R5.
    static let argument: [Register] = [.rdi, .rsi, .rdx, .rcx, .r8, .r9]
    /// R6–R9: kept by a body for its caller, so saved by those subprogs that use them.
    static let calleeSaved: [UInt8] = [6, 7, 8, 9]
}

/// Fields of `struct ops_block` as memory operands.
enum BlockField {
    // SAFETY: key paths here only name fields; no block is touched.
    static let fuel = unsafe field(MemoryLayout<ops_block>.offset(of: \.fuel))
    static let arenaBase = unsafe field(MemoryLayout<ops_block>.offset(of: \.arena_base))
    static let arenaSize = unsafe field(MemoryLayout<ops_block>.offset(of: \.arena_size))
    static let ktime = unsafe field(MemoryLayout<ops_block>.offset(of: \.ktime_ns))
    static let ktimeCoarse = unsafe field(MemoryLayout<ops_block>.offset(of: \.ktime_coarse_ns))
    static let jiffies = unsafe field(MemoryLayout<ops_block>.offset(of: \.jiffies64))
    static let prandomState = unsafe field(MemoryLayout<ops_block>.offset(of: \.prandom_state))
    static let cpu = unsafe field(MemoryLayout<ops_block>.offset(of: \.cpu))
    static let cpus = unsafe field(MemoryLayout<ops_block>.offset(of: \.cpus))
    static let fuelPerCall = unsafe field(MemoryLayout<ops_block>.offset(of: \.fuel_per_call))

    private static func field(_ offset: Int?) -> Memory {
        guard let offset else { preconditionFailure("ops_block has no such field") }
        return Memory(RegisterMap.block, Int32(offset))
    }
}
