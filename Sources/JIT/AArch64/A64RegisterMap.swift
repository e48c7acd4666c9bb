/// Where BPF registers live on AArch64. R1–R5 stand where a C function expects its arguments, so calls of helpers move
/// the result only; R6–R9 and R10 are registers that a C function keeps.
enum A64RegisterMap {
    static let machine: [A64Register] = [
        .x(7),  // R0
        .x(0), .x(1), .x(2), .x(3), .x(4),  // R1–R5
        .x(19), .x(20), .x(21), .x(22),  // R6–R9
        .x(24),  // R10, the frame
    ]
    /// Of the procedure call standard.
    static let result = A64Register.x(0)
    static let argument: [A64Register] = (0..<8).map { .x($0) }
    /// The instance block, in every body.
    static let block = A64Register.x(23)
    /// Free between BPF instructions, lost at calls.
    static let scratch1 = A64Register.x(9)
    static let scratch2 = A64Register.x(10)
    static let scratch3 = A64Register.x(11)
    static let scratch4 = A64Register.x(12)
    /// Addresses of what is called.
    static let callee = A64Register.x(16)
}

extension Memory {
    /// Where a field of `struct ops_block` lies: `BlockField` names them for all processors.
    var blockOffset: Int { Int(displacement) }
}
