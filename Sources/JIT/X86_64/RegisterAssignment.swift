/// Which machine register each register of a subprog's steps lives in.
///
/// R0–R5 are where calls want them. Where nothing is called, R6–R9 and the virtual registers go to registers that C
/// functions need not keep, as far as there are any, so that nothing has to be saved.
struct RegisterAssignment {
    /// By step register; R10 has none (see `X86Frame`).
    private(set) var machine: [Register] = RegisterMap.machine + [Register](repeating: .r11, count: 5)
    /// Registers in use that a body keeps for its caller.
    private(set) var saved: [Register] = []

    /// - Parameters:
    ///   - used: bit n, some step names register n.
    ///   - needsScratch: some step wants r9 and r10 for itself.
    init(used: UInt32, makesCalls: Bool, needsScratch: Bool, sixthArgument: Bool) {
        var free = RegisterAssignment.candidates(
            used: used, makesCalls: makesCalls, needsScratch: needsScratch || sixthArgument)
        for register: UInt8 in [6, 7, 8, 9, 11, 12, 13, 14, 15] where used & 1 << UInt32(register) != 0 {
            if register == StepList.sixthArgument, sixthArgument {
                machine[Int(register)] = .r9
                continue
            }
            machine[Int(register)] = free.removeFirst()
        }
        saved = [.rbx, .rbp, .r13, .r14, .r15].filter { register in
            [6, 7, 8, 9, 11, 12, 13, 14, 15].contains {
                used & 1 << UInt32($0) != 0 && machine[$0] == register
            }
        }
    }

    /// How many virtual registers there is room for.
    static func virtualRoom(used: UInt32, makesCalls: Bool, needsScratch: Bool, sixthArgument: Bool) -> Int {
        let room = candidates(
            used: used, makesCalls: makesCalls, needsScratch: needsScratch || sixthArgument
        ).count
        let own = (used >> 6 & 0xf).nonzeroBitCount
        return min(room - own, Step.virtualRegisters.count - (sixthArgument ? 1 : 0))
    }

    /// Best first. Never r11 (always scratch), r12 (the block) or rsp.
    private static func candidates(used: UInt32, makesCalls: Bool, needsScratch: Bool) -> [Register] {
        let kept: [Register] = [.rbx, .r13, .r14, .r15, .rbp]
        if makesCalls { return kept }
        let idle = (1...5).filter { used & 1 << UInt32($0) == 0 }.map { RegisterMap.machine[$0] }
        return (needsScratch ? [] : [.r9, .r10] + idle.reversed()) + kept
    }
}
