import JIT
import Synchronization

extension StructOpsMap {
    /// Sets the value: makes its entries, and registers it unless links do that.
    ///
    /// Checks and errno are those of struct_ops.md §1.6, in that order; but all entries are made together, after every
    /// member has been judged, and a non-zero `struct module *` member is EINVAL (the kernel forgets to say so). A
    /// failure undoes everything and leaves INIT, and the map can be updated again.
    ///
    /// - Parameter value: `{refcnt, state, data}` with program ids in the low 32 bits of function pointers.
    package func update(key: UInt32 = 0, value: [UInt8], flags: UInt64 = 0) throws(OpsError) {
        guard flags == 0 else { throw error("update", OpsError.einval, "update flags are \(flags), not 0") }
        guard key == 0 else { throw error("update", OpsError.e2big, "key is \(key), the only one is 0") }
        try checkShape(of: value)
        try core.attach.run { () throws(OpsError) in
            guard state == .initial else {
                throw error("busy", OpsError.ebusy, "its value is set (state \(state.name))")
            }
            var draft = Draft()
            do throws(OpsError) {
                try prepare(value, &draft)
                try validate()
                try publish(&draft)
            } catch {
                reset(draft)
                throw error
            }
        }
    }

    /// What an update holds on to until it is published.
    struct Draft {
        var content = Content()
        var isRegistered = false
    }

    private func checkShape(of value: [UInt8]) throws(OpsError) {
        guard value.count == type.value.byteCount else {
            throw error(
                "update", OpsError.einval, "the value has \(value.count) bytes, not \(type.value.byteCount)")
        }
        if let (offset, structure) = type.nonzeroPadding(in: value) {
            throw error(
                "update", OpsError.einval,
                "byte \(offset) of the value is \(value[offset]), but struct \(structure) has no member there"
            )
        }
        let head = value[..<type.value.dataOffset]
        guard head.allSatisfy({ $0 == 0 }) else {
            throw error("update", OpsError.einval, "refcnt and state must be 0 in a new value")
        }
    }

    /// Fills both copies of the value, member by member, and makes the entries.
    private func prepare(_ value: [UInt8], _ draft: inout Draft) throws(OpsError) {
        uvalue.store(value, at: 0)
        for member in type.members {
            let start = type.value.dataOffset + member.byteOffset
            let bytes = [UInt8](value[start..<start + member.byteCount])
            if case .module = member.kind {
                guard bytes.allSatisfy({ $0 == 0 }) else {
                    throw error(
                        "update", OpsError.einval, "must be 0: it is the runtime's", member: member.name)
                }
                kvalue.store(OpsRuntime.ownerMarker, at: start)
                continue
            }
            if try takenBySubsystem(member, bytes, at: start) { continue }
            switch member.kind {
            case .function(let function):
                try take(member, function, programID: bytes.littleEndian32, at: start, &draft)
            case .data, .module:
                try takeData(member, bytes, at: start)
            }
        }
        try makeEntries(&draft)
    }

    private func takenBySubsystem(
        _ member: RegisteredMember, _ bytes: [UInt8], at start: Int
    ) throws(OpsError) -> Bool {
        let asked = StructOpsMember(
            type: typeName, name: member.name, byteOffset: member.byteOffset, udata: bytes)
        let treatment: StructOpsMember.Treatment
        do { treatment = try owner.subsystem.initMember(asked) } catch { throw located(error, member.name) }
        guard case .handled(let kdata) = treatment else { return false }
        guard kdata.count == member.byteCount else {
            throw error(
                "update", OpsError.efault,
                "its subsystem answered \(kdata.count) bytes for \(member.byteCount)", member: member.name)
        }
        kvalue.store(kdata, at: start)
        return true
    }

    private func takeData(_ member: RegisteredMember, _ bytes: [UInt8], at start: Int) throws(OpsError) {
        guard let rule = type.descriptor.fields[member.name] else {
            guard bytes.allSatisfy({ $0 == 0 }) else {
                throw error("update", OpsError.einval, "must be 0: it is not for users", member: member.name)
            }
            return
        }
        let mask = type.btf.profile.flagMasks["\(typeName).\(member.name)"]
        if let complaint = rule.complaint(about: bytes, mask: mask) {
            throw error("update", OpsError.einval, complaint, member: member.name)
        }
        kvalue.store(bytes, at: start)
    }

    private func take(
        _ member: RegisteredMember, _ function: FunctionMember?, programID: UInt32, at start: Int,
        _ draft: inout Draft
    ) throws(OpsError) {
        guard programID != 0 else { return uvalue.store(UInt64(0), at: start) }
        guard let program = core.program(programID), program.object.get() else {
            throw error("not-found", OpsError.ebadf, "there is no program \(programID)", member: member.name)
        }
        guard let function, program.attachment.type == type.ref,
            program.attachment.memberIndex == member.index
        else {
            program.object.put()
            throw error(
                "update", OpsError.einval,
                "program \(programID) '\(program.name)' was verified for \(program.contextName)",
                member: member.name)
        }
        draft.content.programs.append(MemberProgram(member: member, function: function, program: program))
        uvalue.store(UInt64(programID), at: start)
    }

    /// One entry per program, in the block of the program's own object.
    private func makeEntries(_ draft: inout Draft) throws(OpsError) {
        guard !draft.content.programs.isEmpty else { return }
        let unit: EntryUnit
        do throws(OpsError) {
            unit = try unsafe draft.content.programs.makeEntries(name: name) { program in
                unsafe program.object.primeBlock
            }
        } catch {
            throw located(error, nil)
        }
        let limit = core.configuration.entryBytesMax
        guard unit.mappedByteCount <= limit else {
            throw error(
                "memory", OpsError.e2big,
                "its entries take \(unit.mappedByteCount) bytes, at most \(limit) are allowed")
        }
        try core.memory.charge(unit.mappedByteCount, to: uid, for: "entries of struct_ops map '\(name)'")
        draft.content.chargedBytes += unit.mappedByteCount
        draft.content.entries = unit
        for (index, program) in draft.content.programs.enumerated() {
            let start = type.value.dataOffset + program.member.byteOffset
            kvalue.store(UInt64(UInt(bitPattern: unsafe unit.pointer(index))), at: start)
        }
    }

    private func validate() throws(OpsError) {
        for group in type.descriptor.required {
            let isSet = group.contains { name in
                guard let member = type.member(named: name) else { return false }
                let start = type.value.dataOffset + member.byteOffset
                return kvalue.bytes(start..<start + member.byteCount).contains { $0 != 0 }
            }
            guard isSet else {
                throw error(
                    "validate", OpsError.einval,
                    "\(opsName ?? name) does not implement required ops",
                    reason: "\(group.joined(separator: " or ")) must be set")
            }
        }
        do { try owner.subsystem.validate(self) } catch { throw located(error, nil) }
    }

    private func publish(_ draft: inout Draft) throws(OpsError) {
        let drafted = draft.content
        content.withLock { $0 = drafted }
        guard !isLink else { return publish(.ready) }
        do {
            try owner.subsystem.register(self, link: nil)
        } catch {
            content.withLock { $0 = Content() }
            throw located(error, nil)
        }
        _ = references.get()
        publish(.inUse)
    }

    /// Back to INIT. A subsystem that refused to register may have called an entry, so they go at quiescence.
    private func reset(_ draft: Draft) {
        uvalue.clear()
        kvalue.clear()
        let dropped = draft.content
        core.quiescence.retire { self.release(dropped) }
    }

    /// The subsystem's or the loader's own words, with the map they are about.
    func located(_ error: OpsError, _ member: String?) -> OpsError {
        var error = error
        error.location.map = error.location.map ?? name
        error.location.member = error.location.member ?? member
        return error
    }
}

extension [UInt8] {
    var littleEndian32: UInt32 { prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) } }
}
