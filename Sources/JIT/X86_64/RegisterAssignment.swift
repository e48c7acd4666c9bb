/// Which machine register each register of a subprog's steps lives in.
///
/// R0–R5 are where calls want them. Where nothing is called, R6–R9 and the virtual registers go to registers that C
/// functions need not keep, as far as there are any, so that nothing has to be saved.
struct RegisterAssignment {
    /// By step register; R10 has none (see `X86Frame`).
    private(set) var machine: [16 of Register]
    /// Registers in use that a body keeps for its caller.
    private(set) var saved = RegisterSet()

    /// - Parameters:
    ///   - used: bit n, some step names register n.
    ///   - needsScratch: some step wants r9 and r10 for itself.
    ///   - usesBlock: some step wants the instance block in r12.
    init(used: UInt32, makesCalls: Bool, needsScratch: Bool, usesBlock: Bool, sixthArgument: Bool) {
        machine = [16 of Register](repeating: .r11)
        for register in RegisterMap.machine.indices { machine[register] = RegisterMap.machine[register] }
        var wanted = used & RegisterAssignment.assignable
        if sixthArgument {
            machine[Int(StepList.sixthArgument)] = .r9
            wanted &= ~(1 << UInt32(StepList.sixthArgument))
        }
        let free = RegisterAssignment.candidates(
            used: used, makesCalls: makesCalls, needsScratch: needsScratch || sixthArgument,
            usesBlock: usesBlock)
        for candidate in RegisterAssignment.order where wanted != 0 && free.contains(candidate) {
            machine[wanted.trailingZeroBitCount] = candidate
            wanted &= wanted - 1
            if RegisterAssignment.kept.contains(candidate) { saved.insert(candidate) }
        }
        precondition(wanted == 0, "more registers than `virtualRoom` allows")
    }

    /// How many virtual registers there is room for.
    static func virtualRoom(
        used: UInt32, makesCalls: Bool, needsScratch: Bool, usesBlock: Bool, sixthArgument: Bool
    ) -> Int {
        let room = candidates(
            used: used, makesCalls: makesCalls, needsScratch: needsScratch || sixthArgument,
            usesBlock: usesBlock
        ).count
        let own = (used >> 6 & 0xf).nonzeroBitCount
        return min(room - own, Step.virtualRegisters.count - (sixthArgument ? 1 : 0))
    }

    /// R6–R9 and the virtual registers, as bits.
    private static let assignable: UInt32 = 0xfbc0
    /// Best first. Never r11 (always scratch), rsp, or rax (R0).
    private static let order: [Register] = [
        .r9, .r10, .r8, .rcx, .rdx, .rsi, .rdi, .rbx, .r13, .r14, .r15, .rbp, .r12,
    ]
    private static let kept: RegisterSet = [.rbx, .r12, .r13, .r14, .r15, .rbp]

    private static func candidates(
        used: UInt32, makesCalls: Bool, needsScratch: Bool, usesBlock: Bool
    ) -> RegisterSet {
        var set: RegisterSet = usesBlock ? [.rbx, .r13, .r14, .r15, .rbp] : kept
        if makesCalls || needsScratch { return set }
        set.insert(.r9)
        set.insert(.r10)
        for register in 1...5 where used & 1 << UInt32(register) == 0 {
            set.insert(RegisterMap.machine[register])
        }
        return set
    }
}

/// A set of machine registers, one bit each.
struct RegisterSet: Equatable, ExpressibleByArrayLiteral {
    private var bits: UInt16 = 0

    init() {}
    init(arrayLiteral elements: Register...) {
        for register in elements { insert(register) }
    }

    var count: Int { bits.nonzeroBitCount }
    func contains(_ register: Register) -> Bool { bits & 1 << UInt16(register.rawValue) != 0 }
    mutating func insert(_ register: Register) { bits |= 1 << UInt16(register.rawValue) }
}
