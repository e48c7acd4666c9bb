import BPF

/// Stack frame of one subprog, and what it saves.
///
/// ```
///            return address
/// rbp ─▶     caller's rbp           only if the subprog names R10
///            BPF stack (stackBytes)
///            padding                so that rsp is a multiple of 16 at calls
/// rsp ─▶     saved R6–R9            only those that the subprog uses
/// ```
struct X86Frame {
    private let hasFramePointer: Bool
    /// BPF stack and padding.
    private let localBytes: Int32
    private let saved: [Register]

    init(_ shape: SubprogShape) {
        saved = RegisterMap.calleeSaved.filter(shape.uses).map { RegisterMap.machine[Int($0)] }
        hasFramePointer = shape.uses(10)
        let stackBytes = hasFramePointer ? (shape.stackBytes + 7) & ~7 : 0
        // The return address, the frame pointer and the saved registers are on the stack too.
        let pushed = 8 * (1 + (hasFramePointer ? 1 : 0) + saved.count)
        let padding = shape.makesCalls && (pushed + stackBytes) % 16 != 0 ? 8 : 0
        localBytes = Int32(stackBytes + padding)
    }

    func emitPrologue(_ assembler: inout Assembler) {
        if hasFramePointer {
            assembler.push(.rbp)
            assembler.move(.b64, .rbp, .rsp)
        }
        if localBytes > 0 { assembler.alu(.sub, .b64, .rsp, constant: localBytes) }
        for register in saved { assembler.push(register) }
    }

    /// Undoes the prologue and returns.
    func emitReturn(_ assembler: inout Assembler) {
        for register in saved.reversed() { assembler.pop(register) }
        if hasFramePointer {
            assembler.leave()
        } else if localBytes > 0 {
            assembler.alu(.add, .b64, .rsp, constant: localBytes)
        }
        assembler.ret()
    }
}
