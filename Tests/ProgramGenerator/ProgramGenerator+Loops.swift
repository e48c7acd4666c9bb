import BPF

/// Loops whose turns the verifier can count: up and down, at the edges of both widths, by any stride, with every kind of
/// exit; and loops whose number of turns only the run shows.
extension ProgramGenerator {
    /// A counter's way: `first`, `first + step`, … for a number of turns, in 64 or 32 bits.
    private struct Counter {
        var register: UInt8
        var isWide: Bool
        var first: Int32
        var step: Int32
        var turns: Int

        /// The value after so many turns.
        func value(after turns: Int) -> UInt64 {
            let sum = Int64(first) &+ Int64(turns) &* Int64(step)
            return isWide ? UInt64(bitPattern: sum) : UInt64(UInt32(truncatingIfNeeded: sum))
        }
        /// What values lie between, if none wraps and none is negative; for addresses.
        var range: ClosedRange<Int>? {
            let ends = [Int64(first), Int64(first) + Int64(turns) * Int64(step)]
            guard ends.allSatisfy({ (0...Int64(Int16.max)).contains($0) }) else { return nil }
            return Int(min(ends[0], ends[1]))...Int(max(ends[0], ends[1]))
        }
    }

    /// A jump with a constant.
    private struct Test {
        var operation: UInt8
        var limit: Int32

        static let operations = [
            Opcode.jeq, Opcode.jne, Opcode.jgt, Opcode.jge, Opcode.jlt, Opcode.jle, Opcode.jsgt, Opcode.jsge,
            Opcode.jslt, Opcode.jsle,
        ]

        func holds(_ value: UInt64, isWide: Bool) -> Bool {
            let signed = isWide ? Int64(bitPattern: value) : Int64(Int32(truncatingIfNeeded: value))
            let unsignedLimit =
                isWide ? UInt64(bitPattern: Int64(limit)) : UInt64(UInt32(bitPattern: limit))
            return switch operation {
            case Opcode.jeq: value == unsignedLimit
            case Opcode.jne: value != unsignedLimit
            case Opcode.jgt: value > unsignedLimit
            case Opcode.jge: value >= unsignedLimit
            case Opcode.jlt: value < unsignedLimit
            case Opcode.jle: value <= unsignedLimit
            case Opcode.jsgt: signed > Int64(limit)
            case Opcode.jsge: signed >= Int64(limit)
            case Opcode.jslt: signed < Int64(limit)
            default: signed <= Int64(limit)
            }
        }
    }

    // MARK: The loops

    mutating func writeLoop() {
        // R1–R5 may be lost inside, so a counter lives beyond.
        let free = state.changeable.filter { $0 >= 7 }
        guard let register = free.isEmpty ? nil : random.pick(free) else { return writeArithmetic() }
        statistics.loops += 1
        if random.chance(20) { return writeUncountedLoop(register) }
        let counter = counter(register, turns: 1 + random.below(loopDepth > 0 ? 4 : 6))
        emitStart(counter)
        enterLoop()
        state.kinds[Int(register)] = .pinned(isNumber: true)
        switch random.below(4) {
        case 0: writeHeadTestedTurns(counter)
        case 1: writeMiddleTestedTurns(counter)
        default: writeTailTestedTurns(counter)
        }
        leaveLoop()
        state.kinds[Int(register)] = .number
    }

    /// `do { … } while (…)`, at times left early.
    private mutating func writeTailTestedTurns(_ counter: Counter) {
        let head = insns.count, stepsFirst = random.chance(20)
        if stepsFirst { emitStep(counter) }
        writeStatements(1 + random.below(3))
        var leave: (jump: Int, state: FrameState)?
        if random.chance(20) {
            leave = (emitCondition(), state)
            writeStatement()
        }
        if !stepsFirst { emitStep(counter) }
        let test = test(counter, from: 1) { $0 < counter.turns }
        emit(jump(test, counter, to: head))
        if let leave {
            land(leave.jump)
            state.join(leave.state)
        }
    }

    /// `while (…) { … }`
    private mutating func writeHeadTestedTurns(_ counter: Counter) {
        let head = insns.count, before = state
        let exit = test(counter, from: 0) { $0 == counter.turns }
        emit(jump(exit, counter, to: head))
        writeStatements(1 + random.below(3))
        emitStep(counter)
        emit(Instruction(opcode: Opcode.gotoShort, offset: Int16(head - insns.count - 1)))
        land(head)
        state.join(before)
    }

    /// `for (;;) { …; if (…) break; … }`
    private mutating func writeMiddleTestedTurns(_ counter: Counter) {
        let head = insns.count
        writeStatements(1 + random.below(2))
        emitStep(counter)
        let exit = test(counter, from: 1) { $0 == counter.turns }
        let leave = insns.count
        emit(jump(exit, counter, to: head))
        let left = state
        writeStatements(1 + random.below(2))
        emit(Instruction(opcode: Opcode.gotoShort, offset: Int16(head - insns.count - 1)))
        land(leave)
        state = left
    }

    /// Turns as a number below 8 says: `while (n) { …; n--; }`, `for (i = 0; i < n; i++) { … }`.
    private mutating func writeUncountedLoop(_ register: UInt8) {
        let others = state.changeable.filter { $0 >= 7 && $0 != register }
        emit(.alu64(Opcode.and, register, imm: random.pick([1, 3, 7])))
        var counter = register
        if let other = others.first, random.chance(50) {
            counter = other
            emit(.mov64(counter, imm: 0))
            state.kinds[Int(register)] = .pinned(isNumber: true)
        }
        enterLoop()
        state.kinds[Int(counter)] = .pinned(isNumber: true)
        let head = insns.count, before = state
        if counter == register {
            emit(
                Instruction(
                    opcode: random.pick([Opcode.jeq, Opcode.jsle]) | (random.chance(50) ? 0x05 : 0x06),
                    dst: counter))
        } else {
            emit(
                Instruction(
                    opcode: random.pick([Opcode.jge, Opcode.jsge]) | (random.chance(50) ? 0x0d : 0x0e),
                    dst: counter, src: register))
        }
        writeStatements(1 + random.below(2))
        emit(.alu64(Opcode.add, counter, imm: counter == register ? -1 : 1))
        emit(Instruction(opcode: Opcode.gotoShort, offset: Int16(head - insns.count - 1)))
        land(head)
        state.join(before)
        leaveLoop()
        for used in [register, counter] { state.kinds[Int(used)] = .number }
    }

    /// Many turns of a few instructions without a branch: what a compiler may repeat, turn by turn.
    mutating func writeTightLoop() {
        let free = state.changeable
        guard free.count >= 2 else { return writeArithmetic() }
        statistics.loops += 1
        let register = random.pick(free)
        let counter = counter(register, turns: 4 + random.below(18))
        let memory = addressable(counter)
        emitStart(counter)
        state.kinds[Int(register)] = .pinned(isNumber: true)
        let head = insns.count, stepsFirst = random.chance(20)
        if stepsFirst { emitStep(counter) }
        for _ in 0..<(1 + random.below(3)) {
            if let memory, random.chance(60) {
                writeCountedAccess(memory, counter)
            } else {
                writeSum(of: register)
            }
        }
        if !stepsFirst { emitStep(counter) }
        emit(jump(test(counter, from: 1) { $0 < counter.turns }, counter, to: head))
        state.kinds[Int(register)] = .number
    }

    /// `sum += counter` and its like.
    private mutating func writeSum(of register: UInt8) {
        guard let sum = state.changeable.randomElement(using: &random) else { return }
        let operation = random.pick([Opcode.add, Opcode.add, Opcode.xor, Opcode.sub, Opcode.or, Opcode.mul])
        let code: UInt8 = random.chance(50) ? 0x0f : 0x0c
        if random.chance(30) {
            emit(Instruction(opcode: operation | code & 0xf7, dst: sum, imm: random.immediate()))
        } else {
            emit(
                Instruction(opcode: operation | code, dst: sum, src: random.chance(50) ? register : number()))
        }
    }

    // MARK: Memory at the counter

    private struct Addressable {
        var base: UInt8
        /// Of the first byte, from the base.
        var offset: Int
        var byteCount: Int
    }

    /// Memory that the counter can be an offset into: the context's, or written slots of the stack.
    private mutating func addressable(_ counter: Counter) -> Addressable? {
        guard let range = counter.range else { return nil }
        var found: Addressable?
        if let byteCount = contextByteCount, random.chance(60) {
            found = Addressable(base: 6, offset: 0, byteCount: byteCount)
        } else if let window = writeWindow() {
            found = Addressable(base: 10, offset: window.offset, byteCount: window.byteCount)
        }
        guard let found, range.count <= found.byteCount - 8 else { return nil }
        return found
    }

    /// `p = base + counter`, then a load into a sum, or a store.
    private mutating func writeCountedAccess(_ memory: Addressable, _ counter: Counter) {
        let free = (UInt8(1)...5).filter { state.kinds[Int($0)] == .nothing }
        guard let range = counter.range, free.count >= 2 else { return writeSum(of: counter.register) }
        // Slots of the stack are accessed where they are aligned; a byte always is.
        let size = memory.base == 10 ? AccessSize.byte : random.pick([.byte, .half, .word, .double])
        let room = memory.byteCount - size.byteCount - (range.upperBound - range.lowerBound)
        let offset = Int16(memory.offset + random.below(room + 1) - range.lowerBound)
        statistics.memoryAccesses += 1
        emit(.mov64(free[0], memory.base))
        emit(.alu64(Opcode.add, free[0], counter.register))
        if random.chance(70) {
            emit(.load(size, free[1], free[0], offset))
            guard let sum = state.changeable.randomElement(using: &random) else { return }
            emit(
                Instruction(
                    opcode: random.pick([Opcode.add, Opcode.xor, Opcode.sub])
                        | (random.chance(50) ? 0x0f : 0x0c), dst: sum, src: free[1]))
        } else {
            emit(.store(size, free[0], offset, number()))
        }
    }

    // MARK: Counters

    private mutating func counter(_ register: UInt8, turns: Int) -> Counter {
        let isWide = random.chance(60)
        while true {
            let stride = random.pick([1, 1, 1, 1, 2, 2, 3, 4, 5, 8, 16, 0x7fff] as [Int32])
            let step = random.chance(50) ? stride : -stride
            let way = Int32(turns) * step
            let first: Int32 =
                switch random.below(10) {
                case 0..<3: max(0, -way)
                case 3: max(0, -way) + Int32(random.below(20))
                case 4: 0
                case 5: .max - Int32(random.below(turns + 2))
                case 6: .min + Int32(random.below(turns + 2))
                case 7: -Int32(random.below(20))
                case 8: -1
                default: Int32(random.below(40))
                }
            let counter = Counter(
                register: register, isWide: isWide, first: first, step: step, turns: turns)
            // The end must be a constant that a jump can hold.
            let end = Int64(first) + Int64(way)
            if !isWide || Int64(Int32(truncatingIfNeeded: end)) == end { return counter }
        }
    }

    private mutating func emitStart(_ counter: Counter) {
        emit(Instruction(opcode: counter.isWide ? 0xb7 : 0xb4, dst: counter.register, imm: counter.first))
    }

    private mutating func emitStep(_ counter: Counter) {
        let (operation, imm) = random.chance(70) ? (Opcode.add, counter.step) : (Opcode.sub, -counter.step)
        emit(
            Instruction(opcode: operation | (counter.isWide ? 0x07 : 0x04), dst: counter.register, imm: imm))
    }

    /// A test that holds after exactly those numbers of turns, from `from` on, that `wanted` names.
    private mutating func test(_ counter: Counter, from: Int, _ wanted: (Int) -> Bool) -> Test {
        let last = counter.value(after: counter.turns), previous = counter.value(after: counter.turns - 1)
        for _ in 0..<12 {
            let near = random.pick([last, last, previous, last &+ 1, last &- 1, previous &+ 1, previous &- 1])
            let test = Test(
                operation: random.pick(Test.operations), limit: Int32(truncatingIfNeeded: near))
            let fits = (from...counter.turns).allSatisfy {
                test.holds(counter.value(after: $0), isWide: counter.isWide) == wanted($0)
            }
            if fits { return test }
        }
        return Test(
            operation: wanted(counter.turns) ? Opcode.jeq : Opcode.jne,
            limit: Int32(truncatingIfNeeded: last))
    }

    private func jump(_ test: Test, _ counter: Counter, to target: Int) -> Instruction {
        Instruction(
            opcode: test.operation | (counter.isWide ? 0x05 : 0x06), dst: counter.register,
            offset: Int16(target - insns.count - 1), imm: test.limit)
    }

    // MARK: Loops that fuel ends

    /// A loop that only its condition and fuel end.
    mutating func writeMayGotoLoop() {
        statistics.loops += 1
        enterLoop()
        let head = insns.count
        emit(Instruction(opcode: Opcode.mayGoto))
        let before = state
        writeStatements(1 + random.below(2))
        let leave = emitCondition()
        for register in state.changeable where register == 0 || register > 5 {
            emit(.alu64(Opcode.and, register, imm: 0xff))
        }
        emit(Instruction(opcode: Opcode.gotoShort, offset: Int16(head - insns.count - 1)))
        land(head)
        land(leave)
        state.join(before)
        leaveLoop()
    }

    /// What a turn needs must be there before the first: R1–R5 may be lost inside.
    private mutating func enterLoop() {
        for register in 1...5 { state.kinds[register] = .nothing }
        loopDepth += 1
        depth += 1
    }

    private mutating func leaveLoop() {
        loopDepth -= 1
        depth -= 1
    }
}
