import BPF
import CShim
import Glibc
import JIT
import Verifier

/// Calls of subprogs, helpers and kfuncs.
extension Interpreter {
    func call(_ insn: Instruction) throws(InterpreterFault) {
        switch insn.src {
        case PseudoCall.subprog:
            let target = pc + 1 + Int(insn.imm)
            guard let index = image.subprogs.firstIndex(where: { $0.start == target }) else {
                throw fault(.badInstruction, "no subprog at \(target)")
            }
            finishCall(try call(subprog: index, argumentRegisters))
        case PseudoCall.helper: try callHelper(insn.imm)
        case PseudoCall.kfunc:
            guard image.kfuncs.indices.contains(Int(insn.imm)) else {
                throw fault(.unknownCall, "kfunc \(insn.imm)")
            }
            try callKfunc(image.kfuncs[Int(insn.imm)])
        default: throw badInstruction(insn)
        }
    }

    private var argumentRegisters: [Word] { Array(frames[frames.count - 1].registers[1...5]) }

    /// R0 is the result, R1 to R5 are lost.
    private func finishCall(_ result: Word) {
        frames[frames.count - 1].registers[0] = result
        for number in 1...5 { frames[frames.count - 1].registers[number] = .uninitialised }
    }

    // MARK: Helpers

    private func callHelper(_ id: Int32) throws(InterpreterFault) {
        guard let entry = helpers[id] else {
            throw fault(.unknownCall, "helper \(id) has no implementation here")
        }
        let what = "bpf_\(entry.name)"
        if let lock = heldLock, id != 94 {
            throw fault(.lock, "\(what) with the spin lock at 0x\(hex(lock)) held")
        }
        let arguments = argumentRegisters
        guard let shape = options.helperShapes[id] ?? CallShape.helpers[id] else {
            return finishCall(try callUnshaped(entry, what, arguments))
        }
        try check(arguments, shape, what)
        switch id {
        case 93: try lock(arguments[0].bits)
        case 94: try unlock(arguments[0].bits)
        case 164: return finishCall(try forEachElement(arguments))
        case 181: return finishCall(try loop(arguments))
        default: break
        }
        if id == 199 || id == 200 { try release(arguments[0], what) }
        let bits = invoke(entry, arguments)
        noteWrites(arguments, shape)
        noteDynptr(id, arguments)
        finishCall(id == 203 ? slice(bits, arguments[0]) : result(bits, shape, arguments))
    }

    /// The call itself: the same code that compiled programs call.
    private func invoke(_ entry: HelperTable.Entry, _ arguments: [Word]) -> UInt64 {
        // SAFETY: an implementation from the table; pointer arguments have been checked against the memory model.
        unsafe ops_call_helper(
            UInt64(entry.address), arguments[0].bits, arguments[1].bits, arguments[2].bits, arguments[3].bits,
            arguments[4].bits, instance.block)
    }

    private func lock(_ address: UInt64) throws(InterpreterFault) {
        heldLock = address
    }

    private func unlock(_ address: UInt64) throws(InterpreterFault) {
        guard heldLock == address else {
            throw fault(.lock, "unlock of 0x\(hex(address)), which is not held")
        }
        heldLock = nil
    }

    // MARK: Loop helpers run their callbacks here, since the real ones would need machine code.

    private func loop(_ arguments: [Word]) throws(InterpreterFault) -> Word {
        guard case .function(let callback) = arguments[1].origin else { throw notACallback() }
        let turns = arguments[0].bits & 0xffff_ffff
        if arguments[3].bits != 0 { return .scalar(HelperAnswer.error(EINVAL)) }
        if turns > 8 << 20 { return .scalar(HelperAnswer.error(E2BIG)) }
        var turn: UInt64 = 0
        while turn < turns, takeFuel() {
            let stop = try runCallback(callback, [.scalar(turn), arguments[2]])
            turn += 1
            if stop { break }
        }
        return .scalar(turn)
    }

    private func forEachElement(_ arguments: [Word]) throws(InterpreterFault) -> Word {
        guard case .function(let callback) = arguments[1].origin else { throw notACallback() }
        guard case .map(let index) = arguments[0].origin else { throw fault(.argument, "R1 is no map") }
        if arguments[3].bits != 0 { return .scalar(HelperAnswer.error(EINVAL)) }
        let map = instance.maps[index]
        var calls: UInt64 = 0
        var failure: InterpreterFault?
        // SAFETY: key and value are live for one turn; the key is lent for just that long.
        let walked = unsafe map.forEachElement(cpu: instance.block.pointee.cpu) { key, value in
            guard takeFuel() else { return false }
            calls += 1
            let serial = nextSerial
            nextSerial += 1
            let start = UInt(bitPattern: value)
            lent[serial] = (start: UInt(bitPattern: key), byteCount: map.description.keySize)
            defer { lent[serial] = nil }
            do throws(InterpreterFault) {
                return try !runCallback(
                    callback,
                    [
                        arguments[0],
                        Word(bits: UInt64(UInt(bitPattern: key)), origin: .lent(serial: serial)),
                        Word(bits: UInt64(start), origin: .value(map: index, start: start)), arguments[2],
                    ])
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return .scalar(walked == nil ? HelperAnswer.error(EINVAL) : calls)
    }

    /// One turn. - Returns: whether the callback asked to stop.
    private func runCallback(_ subprog: Int, _ arguments: [Word]) throws(InterpreterFault) -> Bool {
        let held = heldLock
        let result = try call(subprog: subprog, arguments)
        guard result.origin != .uninitialised else { throw fault(.uninitialisedRegister, "R0 of a callback") }
        guard heldLock == held else {
            throw fault(.lock, "a callback left with another lock than it came with")
        }
        return result.bits != 0
    }

    private func notACallback() -> InterpreterFault { fault(.argument, "R2 is no subprog") }

    // MARK: Kfuncs

    private func callKfunc(_ kfunc: KfuncPrototype) throws(InterpreterFault) {
        guard let entry = helpers.kfunc(named: kfunc.name) else {
            throw fault(.unknownCall, "kfunc \(kfunc.name) has no implementation here")
        }
        if let lock = heldLock {
            throw fault(.lock, "\(kfunc.name) with the spin lock at 0x\(hex(lock)) held")
        }
        let arguments = argumentRegisters
        if kfunc.flags.contains(.release) { try release(arguments[0], kfunc.name) }
        try enterOrLeave(kfunc.name)
        let word: Word
        if let shape = options.kfuncShapes[kfunc.name] ?? CallShape.kfuncs[kfunc.name] {
            try check(arguments, shape, kfunc.name)
            let bits = invoke(entry, arguments)
            noteWrites(arguments, shape)
            word = result(bits, shape, arguments)
        } else {
            word = try callUnshaped(entry, kfunc.name, arguments)
        }
        if kfunc.flags.contains(.acquire), word.bits != 0 { references[word.bits, default: 0] += 1 }
        finishCall(word)
    }

    func release(_ word: Word, _ what: String) throws(InterpreterFault) {
        guard let count = references[word.bits] else {
            throw fault(.reference, "\(what) of 0x\(hex(word.bits)), to which no reference is held")
        }
        references[word.bits] = count > 1 ? count - 1 : nil
    }

    private func enterOrLeave(_ name: String) throws(InterpreterFault) {
        switch name {
        case "bpf_rcu_read_lock", "bpf_preempt_disable": sections[name, default: 0] += 1
        case "bpf_rcu_read_unlock": try leave("bpf_rcu_read_lock")
        case "bpf_preempt_enable": try leave("bpf_preempt_disable")
        default: break
        }
    }

    private func leave(_ name: String) throws(InterpreterFault) {
        guard let count = sections[name], count > 0 else { throw fault(.section, "left without \(name)") }
        sections[name] = count - 1
    }

    /// A callee without a shape: what it is pointed at must be live, and may be written as far as it goes.
    private func callUnshaped(
        _ entry: HelperTable.Entry, _ what: String, _ arguments: [Word]
    ) throws(InterpreterFault) -> Word {
        for (index, word) in arguments.enumerated() where word.origin.isPointer {
            let extent = try extent(of: word)
            guard UInt(word.bits) &- extent.start <= UInt(extent.byteCount) else {
                throw fault(.outOfBounds, "R\(index + 1) of \(what) points out of the \(extent.what)")
            }
        }
        let bits = invoke(entry, arguments)
        for word in arguments {
            guard case .stack(let depth, _) = word.origin else { continue }
            let at = Int(UInt(word.bits) - frames[depth].stackStart)
            frames[depth].noteStore(at: at, count: Frame.stackByteCount - at)
        }
        return Word(bits: bits, origin: originByAddress(bits))
    }

    // MARK: Addresses of maps

    /// What compiled code loads as the map's handle.
    func handle(of map: Int) -> UInt64 {
        // SAFETY: the slot's handle lies in the block.
        unsafe UnsafeRawPointer(instance.block).load(
            fromByteOffset: instance.layout.slots[map].handleOffset, as: UInt64.self)
    }

    /// Address of the first value of a map that lies in the block.
    func dataStart(of map: Int) -> UInt? {
        instance.layout.slots[map].dataOffset.map { unsafe UInt(bitPattern: instance.block) + UInt($0) }
    }
}
