import BPF

/// Conditional jumps: which ways are possible, and what each way says about the operands.
extension Explorer {
    mutating func stepBranch(_ insn: Instruction) throws(Rejection) -> Flow {
        guard let comparison = Comparison(operation: insn.operation) else { return .next }
        let wide = insn.instructionClass == .jmp
        let a = try readable(insn.dst)
        let b = try operand(insn)
        let target = pc + 1 + Int(insn.offset)
        if a.isScalar && b.isScalar { return branch(insn, comparison, wide, a, b, target) }
        return pointerBranch(insn, comparison, wide, a, b, target)
    }

    mutating func stepMayGoto(_ insn: Instruction) -> Flow {
        // Falling through takes a turn and draws; without fuel it jumps. The way out is looked at first, so that
        // later turns find it finished.
        var turn = state
        turn.draws = turn.draws == .max ? .max : turn.draws + 1
        putAside(turn, at: pc + 1)
        return .jump(pc + 1 + Int(insn.offset))
    }

    // MARK: Numbers

    private mutating func branch(
        _ insn: Instruction, _ comparison: Comparison, _ wide: Bool, _ a: Register, _ b: Register,
        _ target: Int
    ) -> Flow {
        if insn.usesRegister && insn.dst == insn.src && comparison != .bitsSet {
            let holds: Bool
            switch comparison {
            case .equal, .aboveOrEqual, .belowOrEqual, .greaterOrEqual, .lessOrEqual: holds = true
            default: holds = false
            }
            return holds ? .jump(target) : .next
        }
        var (takenA, takenB) = (a.scalar, b.scalar)
        let canTake = Scalar.refine(comparison, wide: wide, &takenA, &takenB)
        var (otherA, otherB) = (a.scalar, b.scalar)
        let canSkip = Scalar.refine(comparison.negated, wide: wide, &otherA, &otherB)
        let dependencies = a.dependencies | b.dependencies
        guard canTake && canSkip || isWeakened(.decidedBranchGoesBothWays) else {
            mark(dependencies)
            // Both impossible: no run comes here; either way is right.
            if canTake {
                state.learn(insn, a, b, takenA, takenB)
                return .jump(target)
            }
            state.learn(insn, a, b, otherA, otherB)
            return .next
        }
        var taken = forked()
        taken.learn(insn, a, b, takenA, takenB)
        putAside(taken, at: target)
        state.learn(insn, a, b, otherA, otherB)
        return .next
    }

    /// A copy of the state for the way of the jump; the current state goes on with the next instruction.
    mutating func forked() -> State {
        var taken = state
        let before = state.lastEvent
        events.append(Event(insn: Int32(pc), previous: before, kind: .taken))
        taken.lastEvent = Int32(events.count - 1)
        note(.notTaken)
        jumpsSinceStore += 1
        return taken
    }

    // MARK: Pointers

    private mutating func pointerBranch(
        _ insn: Instruction, _ comparison: Comparison, _ wide: Bool, _ a: Register, _ b: Register,
        _ target: Int
    ) -> Flow {
        let isEquality = comparison == .equal || comparison == .notEqual
        if wide && isEquality && (a.isNullConstant || b.isNullConstant) {
            let number = a.isScalar ? a : b
            mark(number.dependencies)
            return nullCheck(a.isPointer ? a : b, equal: comparison == .equal, target)
        }
        if wide && a.isPartOfPacket && b.isPartOfPacket {
            return packetBranch(insn, comparison, a, b, target)
        }
        // Of other addresses nobody knows which is the larger: both ways are possible, and teach nothing.
        putAside(forked(), at: target)
        return .next
    }

    /// `pointer == NULL` jumps (`equal`), or `pointer != NULL` does.
    private mutating func nullCheck(_ pointer: Register, equal: Bool, _ target: Int) -> Flow {
        if pointer.isNonNullPointer { return equal ? .next : .jump(target) }
        var taken = forked()
        if pointer.maybeNull {
            let keepsID = locksValues(of: pointer)
            taken.settle(pointer.id, isNull: equal, keepsID: keepsID)
            state.settle(pointer.id, isNull: !equal, keepsID: keepsID)
        }
        putAside(taken, at: target)
        return .next
    }

    /// Whether the id of a pointer names an element whose lock may be held.
    private mutating func locksValues(of pointer: Register) -> Bool { specialFields(of: pointer).lock != nil }
}

extension Register {
    /// The number that this one is linked with, `offset` from their common start, is in `known`.
    fileprivate mutating func learn(_ known: Scalar, at offset: Int32) {
        guard self.offset != offset else {
            scalar = known
            return
        }
        let distance = Scalar(constant: UInt64(bitPattern: Int64(self.offset) - Int64(offset)))
        var moved = Scalar.result(of: Opcode.add, wide: true, isSigned: false, known, distance)
        // Both hold; should they exclude each other, no run comes here.
        if !Scalar.refine(.equal, wide: true, &scalar, &moved) { scalar = moved }
    }
}

extension State {
    /// Stores what a branch taught about its operands, in them and in all registers linked to them.
    mutating func learn(_ insn: Instruction, _ a: Register, _ b: Register, _ newA: Scalar, _ newB: Scalar) {
        if newA.isEmpty || newB.isEmpty { return }
        let dependencies = a.dependencies | b.dependencies
        if newA != a.scalar { learn(newA, dependencies, register: insn.dst, linked: a.id) }
        if insn.usesRegister && newB != b.scalar {
            learn(newB, dependencies, register: insn.src, linked: b.id)
        }
    }

    private mutating func learn(_ scalar: Scalar, _ dependencies: UInt64, register: UInt8, linked id: UInt32)
    {
        self[Int(register)].scalar = scalar
        self[Int(register)].dependencies = dependencies
        guard id != 0, !isWeakened(.linkedRegistersLearnNothing) else { return }
        let offset = self[Int(register)].offset
        forEachRegister { other in
            guard other.kind == .scalar, other.id == id else { return }
            other.learn(scalar, at: offset)
            // What is known of it now relies on the link as well: on how far the two are apart.
            other.dependencies |= dependencies
        }
    }

    /// One null check settles all copies of a maybe-NULL pointer.
    mutating func settle(_ id: UInt32, isNull: Bool, keepsID: Bool) {
        var reference: UInt32 = 0
        forEachRegister { register in
            guard register.isPointer, register.id == id, register.maybeNull else { return }
            if register.id == register.reference { reference = register.reference }
            if isNull && !isWeakened(.nullCheckSettlesBothWays) {
                register = Register(constant: 0)
            } else {
                register.flags.remove(.maybeNull)
                if !keepsID { register.id = 0 }
            }
        }
        // A failed acquisition leaves nothing to release.
        if isNull && reference != 0 && !isWeakened(.failedAcquisitionIsHeld) {
            held.drop(reference: reference)
        }
    }
}
