import BPF

/// Which bit patterns are instructions. Source: RFC 9669; `may_goto` and `BPF_PSEUDO_*` from the kernel.
extension ControlFlow {
    func checkEncoding(_ image: ProgramImage, at pc: Int) throws(Rejection) {
        let insn = image.insns[pc]
        // In a load of 64 bits and a call, `src` is a selector and not a register.
        let hasSource = !(insn.isWideLoad || insn.isCall)
        guard insn.dst <= 10, !hasSource || insn.src <= 10 else {
            throw Rejection(
                .programStructure, "R\(max(insn.dst, insn.src)) is invalid",
                reason: "The registers are R0 to R10.")
        }
        switch insn.instructionClass {
        case .ld: try checkWideLoad(image, insn, at: pc)
        case .ldx: try checkLoad(insn)
        case .st: try require(insn.mode == Opcode.modeMem, insn.src == 0, of: insn)
        case .stx: try checkStore(insn)
        case .alu, .alu64: try checkArithmetic(insn)
        case .jmp, .jmp32: try checkJump(image, insn, at: pc)
        }
        if insn.dst == 10, !isWeakened(.framePointerIsWritable), ControlFlow.writesDestination(insn) {
            throw Rejection(
                .registerType, "frame pointer is read only",
                reason: "R10 holds the stack frame's address for the whole function.")
        }
    }

    static func writesDestination(_ insn: Instruction) -> Bool {
        switch insn.instructionClass {
        case .ld, .ldx, .alu, .alu64: true
        default: false
        }
    }

    private func unknown(_ insn: Instruction) -> Rejection {
        Rejection(
            .programStructure, "unknown opcode \(hex(insn.opcode))",
            reason: "No BPF instruction has this opcode.")
    }

    private func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    private func require(_ isKnown: Bool, _ reservedAreZero: Bool, of insn: Instruction) throws(Rejection) {
        guard isKnown else { throw unknown(insn) }
        guard reservedAreZero else {
            throw Rejection(
                .programStructure, "insn with opcode \(hex(insn.opcode)) uses reserved fields",
                reason: "Fields an instruction does not use must be 0.")
        }
    }

    private func checkWideLoad(_ image: ProgramImage, _ insn: Instruction, at pc: Int) throws(Rejection) {
        if insn.mode == Opcode.modeAbs || insn.mode == Opcode.modeInd {
            throw Rejection(
                .policy, "BPF_LD_[ABS|IND] instructions not allowed for this program type",
                reason: "They read a packet, which only socket filters and their kin have.")
        }
        guard insn.isWideLoad else { throw unknown(insn) }
        guard pc + 1 < image.insns.count, subprogOf[pc] == subprogOf[pc + 1] else {
            throw Rejection(
                .programStructure, "incomplete ld_imm64 insn",
                reason: "A 64-bit load takes two instruction slots.")
        }
        let second = image.insns[pc + 1]
        guard second.opcode == 0, second.registers == 0, second.offset == 0 else {
            throw Rejection(
                .programStructure, "invalid bpf_ld_imm64 insn",
                reason: "The second slot of a 64-bit load holds the upper half and nothing else.")
        }
        try require(true, insn.offset == 0, of: insn)
        switch insn.src {
        case PseudoLoad.constant: break
        case PseudoLoad.mapFD, PseudoLoad.mapValue:
            guard image.maps.indices.contains(Int(insn.imm)) else {
                throw Rejection(
                    .programStructure, "map \(insn.imm) does not exist",
                    reason: "The program names a map it does not have.")
            }
            if insn.src == PseudoLoad.mapFD { try require(true, second.imm == 0, of: insn) }
        case PseudoLoad.function:
            guard subprog(startingAt: pc + 1 + Int(insn.imm)) ?? 0 > 0 else {
                throw Rejection(
                    .programStructure, "callback at insn \(pc + 1 + Int(insn.imm)) is not a function",
                    reason: "The address of a function is that of a subprog other than the main function.")
            }
        case PseudoLoad.btfID: break
        default: throw unknown(insn)
        }
    }

    private func checkLoad(_ insn: Instruction) throws(Rejection) {
        let isKnown = insn.mode == Opcode.modeMem || (insn.mode == Opcode.modeMemSX && insn.size != .double)
        try require(isKnown, insn.imm == 0, of: insn)
    }

    private func checkStore(_ insn: Instruction) throws(Rejection) {
        if insn.mode == Opcode.modeMem { return try require(true, insn.imm == 0, of: insn) }
        guard insn.mode == Opcode.modeAtomic else { throw unknown(insn) }
        switch insn.imm {
        case Opcode.atomicLoadAcquire, Opcode.atomicStoreRelease: return
        case Int32(Opcode.add), Int32(Opcode.and), Int32(Opcode.or), Int32(Opcode.xor),
            Int32(Opcode.add) | Opcode.atomicFetch, Int32(Opcode.and) | Opcode.atomicFetch,
            Int32(Opcode.or) | Opcode.atomicFetch, Int32(Opcode.xor) | Opcode.atomicFetch,
            Opcode.atomicXchg, Opcode.atomicCmpxchg:
            try require(insn.size == .word || insn.size == .double, true, of: insn)
        default:
            throw Rejection(
                .programStructure, "BPF_ATOMIC uses invalid atomic opcode \(String(insn.imm, radix: 16))",
                reason: "No atomic operation has this number.")
        }
    }

    private func checkArithmetic(_ insn: Instruction) throws(Rejection) {
        let wide = insn.instructionClass == .alu64
        let operand = insn.usesRegister ? insn.imm == 0 : insn.src == 0
        switch insn.operation {
        case Opcode.end:
            let isSize = insn.imm == 16 || insn.imm == 32 || insn.imm == 64
            try require(isSize && !(wide && insn.usesRegister), insn.src == 0 && insn.offset == 0, of: insn)
        case Opcode.neg:
            try require(!insn.usesRegister, insn.src == 0 && insn.imm == 0 && insn.offset == 0, of: insn)
        case Opcode.mov:
            if insn.usesRegister && wide && insn.offset == 1 {
                throw Rejection.unsupported("addr_space_cast (arena pointers)")
            }
            let isWidth =
                insn.offset == 0
                || (insn.usesRegister
                    && (insn.offset == 8 || insn.offset == 16 || (wide && insn.offset == 32)))
            try require(true, operand && isWidth, of: insn)
        case Opcode.div, Opcode.mod:
            try require(true, operand && (insn.offset == 0 || insn.offset == 1), of: insn)
            if !insn.usesRegister && insn.imm == 0 && !isWeakened(.divisionByZero) {
                throw Rejection(.programStructure, "div by zero", reason: "The divisor is the constant 0.")
            }
        case Opcode.lsh, Opcode.rsh, Opcode.arsh:
            try require(true, operand && insn.offset == 0, of: insn)
            let width: Int32 = wide ? 64 : 32
            if !insn.usesRegister && !(0..<width).contains(insn.imm) && !isWeakened(.shiftsUnlimited) {
                throw Rejection(
                    .programStructure, "invalid shift \(insn.imm)",
                    reason: "A shift count is at least 0 and less than the width, \(width).")
            }
        case Opcode.add, Opcode.sub, Opcode.mul, Opcode.or, Opcode.and, Opcode.xor:
            try require(true, operand && insn.offset == 0, of: insn)
        default: throw unknown(insn)
        }
    }

    private func checkJump(_ image: ProgramImage, _ insn: Instruction, at pc: Int) throws(Rejection) {
        switch insn.opcode {
        case Opcode.gotoShort: try require(true, insn.registers == 0 && insn.imm == 0, of: insn)
        case Opcode.gotoLong: try require(true, insn.registers == 0 && insn.offset == 0, of: insn)
        case Opcode.exit:
            try require(true, insn.registers == 0 && insn.imm == 0 && insn.offset == 0, of: insn)
        case Opcode.mayGoto: try require(true, insn.registers == 0 && insn.imm == 0, of: insn)
        case Opcode.callx, 0x0d:
            throw Rejection.unsupported("indirect \(insn.opcode == 0x0d ? "jumps" : "calls")")
        case Opcode.call:
            try require(true, insn.dst == 0 && (insn.offset == 0 || insn.src == PseudoCall.kfunc), of: insn)
            try checkCallee(image, insn, at: pc)
        default:
            guard Comparison(operation: insn.operation) != nil else { throw unknown(insn) }
            try require(true, insn.usesRegister ? insn.imm == 0 : insn.src == 0, of: insn)
        }
    }

    private func checkCallee(_ image: ProgramImage, _ insn: Instruction, at pc: Int) throws(Rejection) {
        switch insn.src {
        case PseudoCall.helper: break
        case PseudoCall.subprog:
            guard subprog(startingAt: pc + 1 + Int(insn.imm)) ?? 0 > 0 else {
                throw Rejection(
                    .programStructure, "call to insn \(pc + 1 + Int(insn.imm)), where no function starts",
                    reason: "A call goes to the first instruction of a function other than the main one.")
            }
        case PseudoCall.kfunc:
            guard image.kfuncs.indices.contains(Int(insn.imm)) || image.poisons[pc] != nil else {
                throw Rejection(
                    .programStructure, "kfunc \(insn.imm) does not exist",
                    reason: "The program names a kfunc it does not have.")
            }
        default: throw unknown(insn)
        }
    }
}
