import BPF

/// Stack, context memory, and memory behind a pointer in general.
extension ProgramGenerator {
    private static let sizes: [AccessSize] = [.byte, .half, .word, .double]

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
        writeAccess(base: 6, byteCount: inputByteCount)
    }

    mutating func writeContextLoad(to register: UInt8) {
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

    /// With an offset that is known only to lie below a limit, by a mask or by a branch.
    private mutating func writeVariableAccess(base: UInt8, byteCount: Int) {
        let size = size()
        let free = state.writable.filter { (1...5).contains($0) && $0 != base }
        guard let pointer = free.isEmpty ? nil : random.pick(free) else { return writeArithmetic() }
        let limit = byteCount - size.byteCount
        var skip: Int?
        emit(.mov64(pointer, number()))
        // The largest mask of ones that stays within the limit.
        let mask = (1 << (Int.bitWidth - (limit + 1).leadingZeroBitCount - 1)) - 1
        let before = state
        if random.chance(60) || limit == 0 {
            emit(
                .alu64(Opcode.and, pointer, imm: Int32(mask & ~(random.chance(50) ? size.byteCount - 1 : 0))))
        } else {
            skip = insns.count
            emit(Instruction(opcode: Opcode.jgt | 0x05, dst: pointer, imm: Int32(limit)))
        }
        emit(.alu64(Opcode.add, pointer, base))
        state.kinds[Int(pointer)] = .pinned(isNumber: false)
        emitAccess(size, base: pointer, offset: 0, mayBeAtomic: false)
        if let skip {
            land(skip)
            state.join(before)
        }
        state.kinds[Int(pointer)] = .nothing
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
