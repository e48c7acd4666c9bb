import BPF

/// Statements that compute, and the choice among all statements.
extension ProgramGenerator {
    mutating func writeStatement() {
        switch random.below(100) {
        case 0..<34: writeArithmetic()
        case 34..<42: writeStackStore()
        case 42..<46: writeStackLoad()
        case 46..<48: writeVariableStackAccess()
        case 48..<54: writeContextAccess()
        case 54..<58 where hasNode: writeWalk()
        case 54..<56: writeContextAccess()
        case 58..<62: writeStackAtomic()
        // Every branch in a loop doubles the paths of every turn, for a verifier that follows them all.
        case 62..<74 where depth < 3 && (loopDepth == 0 || random.chance(20)): writeBranch()
        case 74..<79 where loopDepth == 0 && depth < 3: writeLoop()
        case 74..<77 where loopDepth == 1 && depth < 3: writeLoop()
        case 79..<82 where loopDepth == 0: writeTightLoop()
        case 82..<88 where options.allowsMaps: writeMapStatement()
        case 88..<90 where options.allowsMaps: writeGlobalData()
        case 90..<92: writeClockHelper()
        case 92..<93 where options.allowsMemoryHelpers: writeSizedHelper()
        case 93..<95 where callDepth < 2: writeSubprogCall()
        case 95..<97 where callDepth < 2: writeGlobalCall()
        case 97..<98 where callDepth < 1 && loopDepth == 0 && options.allowsCallbacks: writeCallbackCall()
        case 98..<99 where loopDepth + depth + callDepth == 0 && options.allowsMayGoto: writeMayGotoLoop()
        default: writeArithmetic()
        }
    }

    mutating func writeArithmetic() {
        let dst = changeableNumber()
        switch random.below(20) {
        case 0: writeNumber(to: random.pick(state.writable))
        case 1: emit(Instruction(opcode: Opcode.neg | code(), dst: dst))
        case 2:
            emit(
                Instruction(
                    opcode: random.pick([0xd4, 0xdc, 0xd7]), dst: dst, imm: random.pick([16, 32, 64])))
        case 3: writeMove(to: random.pick(state.writable))
        case 4..<7: writeShift(dst)
        case 7..<10: writeDivision(dst)
        default:
            let operation = random.pick([
                Opcode.add, Opcode.sub, Opcode.mul, Opcode.or, Opcode.and, Opcode.xor,
            ])
            emitBinary(operation | code(), dst, imm: random.immediate())
        }
    }

    /// Class ALU or ALU64.
    private mutating func code() -> UInt8 { random.chance(50) ? 0x07 : 0x04 }

    private mutating func emitBinary(_ opcode: UInt8, _ dst: UInt8, imm: Int32, offset: Int16 = 0) {
        if random.chance(50) {
            emit(Instruction(opcode: opcode | 8, dst: dst, src: number(), offset: offset))
        } else {
            emit(Instruction(opcode: opcode, dst: dst, offset: offset, imm: imm))
        }
    }

    private mutating func writeMove(to dst: UInt8) {
        let src = number()
        switch random.below(4) {
        case 0: emit(Instruction(opcode: 0xbf, dst: dst, src: src, offset: random.pick([8, 16, 32])))
        case 1: emit(Instruction(opcode: 0xbc, dst: dst, src: src, offset: random.pick([8, 16])))
        case 2: emit(Instruction(opcode: 0xbc, dst: dst, src: src))
        default: emit(.mov64(dst, src))
        }
        state.kinds[Int(dst)] = .number
    }

    private mutating func writeShift(_ dst: UInt8) {
        let operation = random.pick([Opcode.lsh, Opcode.rsh, Opcode.arsh])
        let code = code(), bits = code == 0x07 ? 64 : 32
        if random.chance(60) {
            emit(Instruction(opcode: operation | code, dst: dst, imm: Int32(random.below(bits))))
            return
        }
        // A count that may be too large is refused by some verifiers: mask it mostly.
        let count = changeableNumber()
        if random.chance(90) { emit(.alu64(Opcode.and, count, imm: Int32(bits - 1))) }
        emit(Instruction(opcode: operation | code | 8, dst: dst, src: count))
    }

    private mutating func writeDivision(_ dst: UInt8) {
        let imm = random.immediate()
        emitBinary(
            random.pick([Opcode.div, Opcode.mod]) | code(), dst, imm: imm == 0 ? 1 : imm,
            offset: random.chance(40) ? 1 : 0)
    }

    // MARK: Control flow

    /// `if (condition) { … } else { … }`, the else maybe empty.
    private mutating func writeBranch() {
        statistics.branches += 1
        let jump = emitCondition()
        depth += 1
        let before = state
        writeStatements(1 + random.below(3))
        let afterThen = state
        state = before
        if random.chance(50) {
            let skip = insns.count
            emit(
                random.chance(80)
                    ? Instruction(opcode: Opcode.gotoShort) : Instruction(opcode: Opcode.gotoLong))
            land(jump)
            writeStatements(1 + random.below(3))
            land(skip)
        } else {
            land(jump)
        }
        state.join(afterThen)
        depth -= 1
    }

    /// A conditional jump of any kind over a number; its distance is to be set by `land`.
    mutating func emitCondition() -> Int {
        let operation = random.pick([
            Opcode.jeq, Opcode.jne, Opcode.jgt, Opcode.jge, Opcode.jlt, Opcode.jle, Opcode.jset, Opcode.jsgt,
            Opcode.jsge, Opcode.jslt, Opcode.jsle,
        ])
        let opcode = operation | (random.chance(50) ? 0x05 : 0x06)
        let dst = number()
        emitBinary(opcode, dst, imm: random.immediate())
        return insns.count - 1
    }

    /// Makes jump `index` land on the next instruction.
    mutating func land(_ index: Int) {
        let distance = insns.count - index - 1
        if insns[index].opcode == Opcode.gotoLong {
            insns[index].imm = Int32(distance)
        } else {
            insns[index].offset = Int16(distance)
        }
    }
}
