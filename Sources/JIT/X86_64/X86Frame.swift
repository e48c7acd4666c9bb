import BPF

/// Stack frame of one subprog, and what it saves.
///
/// ```
///            return address
/// rbp ─▶     caller's rbp           only if the subprog names R10 or keeps arguments
///            BPF stack (stackBytes)
///            kept arguments         of a fused body, 8 bytes each
///            padding                so that rsp is a multiple of 16 at calls
/// rsp ─▶     saved R6–R9            only those that the subprog uses
/// ```
struct X86Frame {
    private let hasFramePointer: Bool
    /// BPF stack and padding.
    private let localBytes: Int32
    private let saved: [Register]
    private let stackBytes: Int
    private let clearsStack: Bool
    /// Arguments that are stored before their registers are overwritten.
    private let argumentSlots: [Int]

    init(_ shape: SubprogShape, argumentSlots: [Int] = []) {
        self.argumentSlots = argumentSlots
        saved = RegisterMap.calleeSaved.filter(shape.uses).map { RegisterMap.machine[Int($0)] }
        hasFramePointer = shape.uses(10) || !argumentSlots.isEmpty
        stackBytes = shape.uses(10) ? (shape.stackBytes + 7) & ~7 : 0
        clearsStack = shape.clearsStack
        let kept = 8 * argumentSlots.count
        // The return address, the frame pointer and the saved registers are on the stack too.
        let pushed = 8 * (1 + (hasFramePointer ? 1 : 0) + saved.count)
        let padding = shape.makesCalls && (pushed + stackBytes + kept) % 16 != 0 ? 8 : 0
        localBytes = Int32(stackBytes + kept + padding)
    }

    func emitPrologue(_ assembler: inout Assembler) {
        if hasFramePointer {
            assembler.push(.rbp)
            assembler.move(.b64, .rbp, .rsp)
        }
        if localBytes > 0 { assembler.alu(.sub, .b64, .rsp, constant: localBytes) }
        if clearsStack {
            for offset in stride(from: 8, through: stackBytes, by: 8) {
                assembler.store(.b64, Memory(.rbp, Int32(-offset)), constant: 0)
            }
        }
        for register in saved { assembler.push(register) }
        for slot in argumentSlots {
            if let place = place(ofArgument: slot) {
                assembler.store(.b64, place, RegisterMap.argument[slot])
            }
        }
    }

    /// Where the argument of a slot is kept; nil: it is not.
    func place(ofArgument slot: Int) -> Memory? {
        guard let index = argumentSlots.firstIndex(of: slot) else { return nil }
        return Memory(.rbp, Int32(-stackBytes - 8 * (index + 1)))
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
