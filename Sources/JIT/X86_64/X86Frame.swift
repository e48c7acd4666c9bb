/// Stack frame of one subprog, and what it saves.
///
/// ```
///            return address
///            saved registers        only those that the subprog uses
///            padding                so that rsp is a multiple of 16 at calls
///            BPF stack (stackBytes) R10 is its upper end
///            kept arguments         of a fused body, 8 bytes each
/// rsp ─▶
/// ```
/// All is addressed from rsp, which leaves rbp to be used like any register. A subprog that calls nothing keeps up to 128
/// bytes below rsp instead, which System V leaves alone (the *red zone*).
struct X86Frame {
    /// What R10 is, relative to rsp inside the subprog.
    let framePointerOffset: Int32
    private let localBytes: Int32
    private let saved: RegisterSet
    /// Of the stack below R10, for programs that may read what they have not written.
    private let clearedBytes: Int
    /// In this order.
    private static let pushed: [Register] = [.rbx, .rbp, .r12, .r13, .r14, .r15]

    /// - Parameters:
    ///   - stackBytes: below R10, kept arguments included; 0 where no step names R10.
    ///   - clearedBytes: so many of them are 0 when the subprog starts.
    init(stackBytes: Int, makesCalls: Bool, saved: RegisterSet, clearedBytes: Int = 0) {
        self.saved = saved
        self.clearedBytes = clearedBytes
        let bytes = (stackBytes + 7) & ~7
        if !makesCalls, bytes <= 128 {
            localBytes = 0
            framePointerOffset = 0
            return
        }
        let pushed = 8 * (1 + saved.count)
        let padding = makesCalls && (pushed + bytes) % 16 != 0 ? 8 : 0
        localBytes = Int32(bytes + padding)
        framePointerOffset = Int32(bytes)
    }

    func emitPrologue(_ assembler: inout Assembler) {
        for register in X86Frame.pushed where saved.contains(register) { assembler.push(register) }
        switch localBytes {
        case 0: break
        // One byte, and as quick as a subtraction.
        case 8: assembler.push(.rax)
        default: assembler.alu(.sub, .b64, .rsp, constant: localBytes)
        }
        for offset in stride(from: 8, through: clearedBytes, by: 8) {
            assembler.store(.b64, Memory(.rsp, framePointerOffset - Int32(offset)), constant: 0)
        }
    }

    /// Undoes the prologue and returns.
    func emitReturn(_ assembler: inout Assembler) {
        switch localBytes {
        case 0: break
        case 8: assembler.pop(RegisterMap.scratch1)
        // -128 fits into a byte where 128 does not.
        case 128: assembler.alu(.sub, .b64, .rsp, constant: -128)
        default: assembler.alu(.add, .b64, .rsp, constant: localBytes)
        }
        for register in X86Frame.pushed.reversed() where saved.contains(register) { assembler.pop(register) }
        assembler.ret()
    }
}
