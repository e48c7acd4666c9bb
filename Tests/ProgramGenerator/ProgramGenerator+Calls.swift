import BPF
import Verifier

/// Helpers, maps, subprogs, callbacks.
extension ProgramGenerator {
    mutating func writeClockHelper() {
        emitCall(
            random.pick([
                GeneratedHelper.ktime, GeneratedHelper.prandom, GeneratedHelper.cpu, GeneratedHelper.jiffies,
            ]))
    }

    /// A helper that fills memory whose size is in a register: all of a window, or as much as a number says.
    mutating func writeSizedHelper() {
        guard let window = writeWindow() else { return writeClockHelper() }
        let kept = state.changeable.filter { $0 >= 7 }
        emit(.mov64(1, 10))
        emit(.alu64(Opcode.add, 1, imm: Int32(window.offset)))
        if kept.isEmpty || random.chance(30) {
            emit(.mov64(2, imm: Int32(random.below(window.byteCount + 1))))
        } else {
            emit(.mov64(2, random.pick(kept)))
            emit(.alu64(Opcode.and, 2, imm: 15))
        }
        // No address: the helper finds nothing there and says so.
        emit(.mov64(3, imm: 0))
        emitCall(GeneratedHelper.probeRead)
    }

    private mutating func emitCall(_ helper: Int32) {
        statistics.helperCalls += 1
        emit(.call(helper))
        state.clobberCallerSaved()
    }

    // MARK: Maps

    mutating func writeMapStatement() {
        guard state.kinds[0] == .number else { return writeArithmetic() }
        let map = random.pick(options.maps)
        guard let key = writeKey(for: map) else { return writeArithmetic() }
        defer { state.reserve(offset: key, count: map.description.keySize, false) }
        switch random.below(10) {
        case 0..<7: writeLookup(map, key: key)
        case 7..<9: writeUpdate(map, key: key)
        default: writeDelete(map, key: key)
        }
    }

    /// Puts a key on the stack and reserves its place. nil: no room.
    private mutating func writeKey(for map: GeneratedMap) -> Int? {
        let description = map.description
        let size: AccessSize = description.keySize == 4 ? .word : .double
        let offset = -8 * (1 + random.below(state.isWritten.count / 8))
        guard state.isFree(offset: offset, count: 8) else { return nil }
        if random.chance(60) {
            // Small, so that arrays are hit and hash keys meet each other; at times out of range.
            emit(
                Instruction(
                    opcode: 0x62 | size.rawValue, dst: 10, offset: Int16(offset),
                    imm: Int32(random.below(description.maxEntries + 1))))
        } else {
            let register = changeableNumber()
            emit(.alu64(Opcode.and, register, imm: 7))
            emit(.store(size, 10, Int16(offset), register))
        }
        state.markWritten(offset: offset, count: description.keySize)
        state.reserve(offset: offset, count: description.keySize)
        return offset
    }

    private mutating func emitMapAndKey(_ map: GeneratedMap, _ key: Int) {
        emit(Instruction(opcode: Opcode.loadImm64, dst: 1, src: PseudoLoad.mapFD, imm: Int32(map.rawValue)))
        emit(Instruction(opcode: 0))
        emitStackAddress(2, key)
    }

    private mutating func emitStackAddress(_ register: UInt8, _ offset: Int) {
        emit(.mov64(register, 10))
        emit(.alu64(Opcode.add, register, imm: Int32(offset)))
    }

    /// Looks up and, if there is a value, works on it, through R0 or a register that survives calls, maybe spilled.
    private mutating func writeLookup(_ map: GeneratedMap, key: Int) {
        emitMapAndKey(map, key)
        emitCall(GeneratedHelper.mapLookup)
        let kept = state.changeable.filter { $0 >= 7 }
        let pointer = kept.isEmpty || random.chance(50) ? 0 : random.pick(kept)
        if pointer != 0 { emit(.mov64(pointer, 0)) }
        let missing = emitNullCheck(pointer)
        // R0 is a pointer here even when a copy is used: it is checked together with it.
        let before = state
        state.kinds[0] = .pinned(isNumber: false)
        state.kinds[Int(pointer)] = .pinned(isNumber: false)
        for _ in 0..<(1 + random.below(3)) {
            writeAccess(base: pointer, byteCount: map.description.valueSize)
        }
        if pointer != 0, depth < 3 {
            // The copy survives what R0 does not.
            emit(.mov64(0, imm: random.immediate()))
            state.kinds[0] = .number
            depth += 1
            let slot = random.chance(50) ? spill(pointer) : nil
            writeStatement()
            if let slot { fill(pointer, from: slot) }
            depth -= 1
            writeAccess(base: pointer, byteCount: map.description.valueSize)
        }
        land(missing)
        state.join(before)
        for register in Set([0, pointer]) {
            emit(.mov64(register, imm: random.immediate()))
            state.kinds[Int(register)] = .number
        }
    }

    /// `if (!p) goto …`, or its other way round: `if (p) goto on; goto …`.
    mutating func emitNullCheck(_ pointer: UInt8) -> Int {
        if random.chance(70) {
            emit(Instruction(opcode: Opcode.jeq | 0x05, dst: pointer))
        } else {
            emit(Instruction(opcode: Opcode.jne | 0x05, dst: pointer, offset: 1))
            emit(Instruction(opcode: Opcode.gotoShort))
        }
        return insns.count - 1
    }

    mutating func spill(_ pointer: UInt8) -> Int? {
        let offset = -8 * (1 + random.below(state.isWritten.count / 8))
        guard state.isFree(offset: offset, count: 8) else { return nil }
        emit(.store(.double, 10, Int16(offset), pointer))
        state.reserve(offset: offset, count: 8)
        return offset
    }

    mutating func fill(_ pointer: UInt8, from slot: Int) {
        emit(.load(.double, pointer, 10, Int16(slot)))
        state.reserve(offset: slot, count: 8, false)
        // What lies there now is a pointer on this path.
        emit(Instruction(opcode: 0x7a, dst: 10, offset: Int16(slot), imm: 0))
        state.markWritten(offset: slot, count: 8)
    }

    private mutating func writeUpdate(_ map: GeneratedMap, key: Int) {
        let count = map.description.valueSize
        let offset = -count - 8 * random.below((state.isWritten.count - count) / 8 + 1)
        guard state.isFree(offset: offset, count: count) else { return writeDelete(map, key: key) }
        for slot in stride(from: offset, to: offset + count, by: 8)
        where !state.isReadable(offset: slot, count: 8) {
            emit(.store(.double, 10, Int16(slot), number()))
        }
        state.markWritten(offset: offset, count: count)
        emitMapAndKey(map, key)
        emitStackAddress(3, offset)
        // BPF_ANY, BPF_NOEXIST, BPF_EXIST.
        emit(.mov64(4, imm: Int32(random.below(3))))
        emitCall(GeneratedHelper.mapUpdate)
    }

    private mutating func writeDelete(_ map: GeneratedMap, key: Int) {
        emitMapAndKey(map, key)
        emitCall(GeneratedHelper.mapDelete)
    }

    mutating func writeGlobalData() {
        let pointer = UInt8(1 + random.below(5))
        let start = 8 * random.below(4), byteCount = GeneratedMap.data.description.valueSize - start
        emit(
            Instruction(
                opcode: Opcode.loadImm64, dst: pointer, src: PseudoLoad.mapValue,
                imm: Int32(GeneratedMap.data.rawValue)))
        emit(Instruction(opcode: 0, imm: Int32(start)))
        state.kinds[Int(pointer)] = .pinned(isNumber: false)
        for _ in 0..<(1 + random.below(2)) { writeAccess(base: pointer, byteCount: byteCount) }
        state.kinds[Int(pointer)] = .nothing
    }

    // MARK: Functions of the program

    mutating func writeSubprogCall() {
        let numbers = state.numbers.filter { $0 == 0 || $0 > 5 }
        guard state.kinds[6] == .context, !numbers.isEmpty else { return writeArithmetic() }
        statistics.subprogCalls += 1
        emit(.mov64(1, 6))
        for register: UInt8 in 2...4 { emit(.mov64(register, random.pick(numbers))) }
        want(.subprog)
        emit(Instruction(opcode: Opcode.call, src: PseudoCall.subprog))
        state.clobberCallerSaved()
    }

    /// A function that is verified by itself gets numbers, the node if there is one, and two words of the stack or NULL.
    mutating func writeGlobalCall() {
        let numbers = state.numbers.filter { $0 == 0 || $0 > 5 }
        let offset = -16 * (1 + random.below(state.isWritten.count / 16))
        guard !hasNode || state.kinds[6] == .context, !numbers.isEmpty,
            state.isFree(offset: offset, count: 16)
        else { return writeArithmetic() }
        statistics.globalCalls += 1
        for slot in [offset, offset + 8] { emit(.store(.double, 10, Int16(slot), random.pick(numbers))) }
        state.markWritten(offset: offset, count: 16)
        emit(.mov64(1, hasNode ? 6 : random.pick(numbers)))
        emit(.mov64(2, random.pick(numbers)))
        if random.chance(85) { emitStackAddress(3, offset) } else { emit(.mov64(3, imm: 0)) }
        want(.global)
        emit(Instruction(opcode: Opcode.call, src: PseudoCall.subprog))
        state.clobberCallerSaved()
    }

    mutating func writeGlobalPrologue() {
        emit(.mov64(6, 1))
        state.kinds[6] = hasNode ? .context : .number
        emit(.mov64(7, 2))
        emit(.mov64(8, 3))
        emit(Instruction(opcode: Opcode.jne | 0x05, dst: 8, offset: 2))
        emit(.mov64(0, imm: random.immediate()))
        emit(.exit)
        state.kinds[8] = .pinned(isNumber: false)
        state.kinds[7] = .number
        emit(.mov64(9, 2))
        state.kinds[9] = .number
        for _ in 0..<(1 + random.below(2)) { writeAccess(base: 8, byteCount: GeneratedTypes.wordsByteCount) }
    }

    /// `bpf_loop` or `bpf_for_each_map_elem`.
    mutating func writeCallbackCall() {
        if options.allowsMaps, random.chance(40) { return writeForEach() }
        let offset = -16 * (1 + random.below(state.isWritten.count / 16))
        guard state.isFree(offset: offset, count: 16) else { return writeArithmetic() }
        for slot in [offset, offset + 8] {
            emit(.store(.double, 10, Int16(slot), number()))
        }
        state.markWritten(offset: offset, count: 16)
        if random.chance(50) {
            emit(.mov64(1, imm: Int32(random.below(12))))
        } else {
            emit(.mov64(1, number()))
            emit(.alu64(Opcode.and, 1, imm: 15))
        }
        emitCallbackAddress(2, .loopCallback)
        emitStackAddress(3, offset)
        emit(.mov64(4, imm: 0))
        emitCall(GeneratedHelper.loop)
    }

    private mutating func writeForEach() {
        emit(
            Instruction(
                opcode: Opcode.loadImm64, dst: 1, src: PseudoLoad.mapFD,
                imm: Int32(GeneratedMap.array.rawValue)))
        emit(Instruction(opcode: 0))
        emitCallbackAddress(2, .elementCallback)
        emit(.mov64(3, imm: 0))
        emit(.mov64(4, imm: 0))
        emitCall(GeneratedHelper.forEachMapElement)
    }

    private mutating func emitCallbackAddress(_ register: UInt8, _ kind: PendingFunction.Kind) {
        want(kind)
        emit(Instruction(opcode: Opcode.loadImm64, dst: register, src: PseudoLoad.function))
        emit(Instruction(opcode: 0))
    }

    /// A new function, or one that is already to be written, for the instruction that comes next.
    private mutating func want(_ kind: PendingFunction.Kind) {
        let depth = callDepth + 1
        let known = pending.indices.filter { pending[$0].kind == kind && pending[$0].callDepth == depth }
        if !known.isEmpty, random.chance(50) {
            pending[random.pick(known)].references.append(insns.count)
        } else {
            pending.append(PendingFunction(kind: kind, references: [insns.count], callDepth: depth))
        }
    }
}
