import BPF

/// Stack, context memory, and memory behind a pointer in general.
extension ProgramGenerator {
    static let sizes: [AccessSize] = [.byte, .half, .word, .double]

    private mutating func size() -> AccessSize { random.pick(Self.sizes) }

    // MARK: Stack

    /// An offset from R10 where `size` is aligned.
    private mutating func stackOffset(_ size: AccessSize) -> Int {
        -(1 + random.below(state.isWritten.count / size.byteCount)) * size.byteCount
    }

    mutating func writeStackStore() {
        // Mostly whole slots, so that there is something to read.
        let size = random.chance(60) ? AccessSize.double : size()
        let offset = stackOffset(size)
        guard state.isFree(offset: offset, count: size.byteCount) else { return writeArithmetic() }
        statistics.memoryAccesses += 1
        if random.chance(30) {
            emit(
                Instruction(
                    opcode: 0x62 | size.rawValue, dst: 10, offset: Int16(offset), imm: random.immediate()))
        } else {
            emit(.store(size, 10, Int16(offset), number()))
        }
        state.markWritten(offset: offset, count: size.byteCount)
    }

    mutating func writeStackLoad() {
        let size = size()
        for _ in 0..<4 {
            let offset = stackOffset(size)
            guard state.isReadable(offset: offset, count: size.byteCount) else { continue }
            return emitLoad(size, from: 10, offset: Int16(offset))
        }
        writeStackStore()
    }

    mutating func writeStackAtomic() {
        let size = random.pick([AccessSize.word, .double])
        for _ in 0..<4 {
            let offset = stackOffset(size)
            guard state.isReadable(offset: offset, count: size.byteCount) else { continue }
            return emitAtomic(size, base: 10, offset: Int16(offset))
        }
        writeStackStore()
    }

    // MARK: Context

    mutating func writeContextAccess() {
        guard state.kinds[6] == .context else { return writeArithmetic() }
        if hasNode { writeNodeAccess() } else { writeAccess(base: 6, byteCount: inputByteCount) }
    }

    /// Bytes that may be accessed anyhow behind R6; nil: none.
    var contextByteCount: Int? { hasNode || state.kinds[6] != .context ? nil : inputByteCount }

    mutating func writeContextLoad(to register: UInt8) {
        if hasNode { return writeNodeLoad(to: register, from: 6) }
        let size = size()
        statistics.memoryAccesses += 1
        emit(.load(size, register, 6, Int16(random.below(inputByteCount / size.byteCount) * size.byteCount)))
    }

    // MARK: Anything behind a pointer

    /// A load, store or atomic somewhere in `byteCount` bytes behind `base`.
    mutating func writeAccess(base: UInt8, byteCount: Int) {
        if random.chance(35) { return writeVariableAccess(base: base, byteCount: byteCount) }
        let size = size()
        // Pointers to memory other than the stack need not be aligned.
        let offset =
            random.chance(80)
            ? random.below(byteCount / size.byteCount) * size.byteCount
            : random.below(byteCount - size.byteCount + 1)
        emitAccess(size, base: base, offset: offset)
    }

    /// With an offset that is known only to lie below a limit.
    ///
    /// - Parameter isAligned: to a multiple of its size, as the stack wants it.
    private mutating func writeVariableAccess(base: UInt8, byteCount: Int, isAligned: Bool = false) {
        let size = size()
        let free = state.writable.filter { (1...5).contains($0) && $0 != base }
        guard let pointer = free.isEmpty ? nil : random.pick(free) else { return writeArithmetic() }
        emit(.mov64(pointer, number()))
        let before = state
        state.kinds[Int(pointer)] = .pinned(isNumber: true)
        let skips = writeLimit(of: pointer, byteCount - size.byteCount, size)
        if random.chance(20) { writeRoundTrip(of: pointer, byteCount - size.byteCount) }
        if isAligned { emit(.alu64(Opcode.and, pointer, imm: Int32(-size.byteCount))) }
        emit(.alu64(Opcode.add, pointer, base))
        state.kinds[Int(pointer)] = .pinned(isNumber: false)
        emitAccess(size, base: pointer, offset: 0, mayBeAtomic: false)
        state.kinds[Int(pointer)] = before.kinds[Int(pointer)]
        if !skips.isEmpty {
            for skip in skips { land(skip) }
            state.join(before)
        }
        state.kinds[Int(pointer)] = .nothing
    }

    /// Makes the number in a register at most `limit`, by arithmetic, or by branches whose jumps are returned.
    private mutating func writeLimit(of register: UInt8, _ limit: Int, _ size: AccessSize) -> [Int] {
        func jump(_ operation: UInt8, _ imm: Int, wide: Bool = true) -> Int {
            emit(Instruction(opcode: operation | (wide ? 0x05 : 0x06), dst: register, imm: Int32(imm)))
            return insns.count - 1
        }
        let mask = Self.mask(within: limit), maskBits = mask.nonzeroBitCount
        switch limit == 0 ? 0 : random.below(12) {
        case 0..<4:
            let aligned = random.chance(50) ? size.byteCount - 1 : 0
            emit(.alu64(Opcode.and, register, imm: Int32(mask & ~aligned)))
            return []
        case 4:
            emit(.alu64(Opcode.mod, register, imm: Int32(limit + 1)))
            return []
        case 5:
            emit(.alu64(Opcode.rsh, register, imm: Int32(64 - maskBits)))
            return []
        case 6, 7: return [jump(Opcode.jgt, limit)]
        case 8: return [jump(Opcode.jsgt, limit), jump(Opcode.jslt, 0)]
        case 9:
            // The low half alone, and nothing above it.
            emit(Instruction(opcode: 0xbc, dst: register, src: register))
            return [jump(Opcode.jge, limit + 1, wide: false)]
        case 10:
            // No bit that would be too much.
            return [jump(Opcode.jset, ~mask)]
        default:
            let free = state.writable.filter { (1...5).contains($0) && $0 != register }
            guard let other = free.first else { return [jump(Opcode.jgt, limit)] }
            emit(.mov64(other, imm: Int32(limit)))
            state.kinds[Int(other)] = .number
            emit(
                Instruction(opcode: random.pick([Opcode.jgt, Opcode.jsgt]) | 0x0d, dst: register, src: other))
            let first = insns.count - 1
            return [first, jump(Opcode.jslt, 0)]
        }
    }

    /// The largest mask of ones that stays within a limit.
    private static func mask(within limit: Int) -> Int {
        (1 << (Int.bitWidth - (limit + 1).leadingZeroBitCount - 1)) - 1
    }

    /// To the stack and back, maybe in part: a small number stays small.
    private mutating func writeRoundTrip(of register: UInt8, _ limit: Int) {
        let offset = stackOffset(.double)
        guard state.isFree(offset: offset, count: 8) else { return }
        emit(.store(.double, 10, Int16(offset), register))
        state.markWritten(offset: offset, count: 8)
        if random.chance(30) {
            // A byte above the lowest changes: what is left of the number is any byte.
            emit(
                Instruction(
                    opcode: 0x62 | AccessSize.byte.rawValue, dst: 10,
                    offset: Int16(offset + 1 + random.below(7)),
                    imm: random.immediate()))
            emit(.load(.byte, register, 10, Int16(offset)))
            emit(.alu64(Opcode.and, register, imm: Int32(Self.mask(within: limit))))
        } else {
            emit(.load(size(), register, 10, Int16(offset)))
        }
    }

    /// A load or store somewhere in a window of the stack.
    mutating func writeVariableStackAccess() {
        guard let window = writeWindow() else { return writeStackStore() }
        let free = state.writable.filter { (1...5).contains($0) }
        guard let base = free.first, free.count > 1 else { return }
        emit(.mov64(base, 10))
        emit(.alu64(Opcode.add, base, imm: Int32(window.offset)))
        state.kinds[Int(base)] = .pinned(isNumber: false)
        writeVariableAccess(base: base, byteCount: window.byteCount, isAligned: true)
        state.kinds[Int(base)] = .nothing
    }

    /// Two to four written slots of the stack, none of them reserved. nil: no room.
    mutating func writeWindow() -> (offset: Int, byteCount: Int)? {
        let count = 2 + random.below(3)
        guard state.isWritten.count >= 8 * count else { return nil }
        let offset = -8 * (count + random.below(state.isWritten.count / 8 - count + 1))
        guard state.isFree(offset: offset, count: 8 * count) else { return nil }
        for slot in stride(from: offset, to: offset + 8 * count, by: 8)
        where !state.isReadable(offset: slot, count: 8) {
            emit(.store(.double, 10, Int16(slot), number()))
            state.markWritten(offset: slot, count: 8)
        }
        return (offset, 8 * count)
    }

    private mutating func emitAccess(_ size: AccessSize, base: UInt8, offset: Int, mayBeAtomic: Bool = true) {
        let isAligned = offset % size.byteCount == 0 && size.byteCount >= 4
        switch random.below(10) {
        case 0..<2 where mayBeAtomic && isAligned: emitAtomic(size, base: base, offset: Int16(offset))
        case 2..<6: emitLoad(size, from: base, offset: Int16(offset))
        default:
            statistics.memoryAccesses += 1
            if random.chance(30) {
                emit(
                    Instruction(
                        opcode: 0x62 | size.rawValue, dst: base, offset: Int16(offset),
                        imm: random.immediate()))
            } else {
                emit(.store(size, base, Int16(offset), number()))
            }
        }
    }

    /// Into any register, zero- or sign-extending.
    private mutating func emitLoad(_ size: AccessSize, from base: UInt8, offset: Int16) {
        statistics.memoryAccesses += 1
        let dst = random.pick(state.writable)
        let mode = size != .double && random.chance(30) ? Opcode.modeMemSX : Opcode.modeMem
        emit(Instruction(opcode: 0x01 | size.rawValue | mode, dst: dst, src: base, offset: offset))
        state.kinds[Int(dst)] = .number
    }

    mutating func emitAtomic(_ size: AccessSize, base: UInt8, offset: Int16) {
        statistics.atomics += 1
        let operation = random.pick([
            0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, Opcode.atomicXchg, Opcode.atomicCmpxchg,
        ])
        let isFetching = operation & Opcode.atomicFetch != 0 && operation != Opcode.atomicCmpxchg
        // cmpxchg writes R0, the others their source.
        guard operation != Opcode.atomicCmpxchg || state.kinds[0] == .number else { return writeArithmetic() }
        emit(
            Instruction(
                opcode: 0xc3 | size.rawValue, dst: base,
                src: isFetching ? changeableNumber() : number(),
                offset: offset, imm: operation))
    }
}
