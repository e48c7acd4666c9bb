import BPF

/// Variables of the kernel (`__ksym`), and what each CPU has a copy of.
extension Explorer {
    /// The address of a variable: objects may be looked through, anything else be read.
    ///
    /// Kernel counterpart: `__check_pseudo_btf_id`.
    func kernelVariable(_ id: TypeID) throws(Rejection) -> Register {
        guard let target = context.target, case .variable(let variable) = target[id],
            let byteCount = target.byteCount(of: variable.type)
        else {
            throw Rejection(
                .callType, "type \(id.rawValue) is no variable of the kernel's BTF",
                reason: "The address of a kernel variable is found by its record in BTF.")
        }
        let type = target.resolve(variable.type)
        var register: Register
        if case .composite = target[type] {
            register = Register(kind: .object, payload: type.index)
        } else {
            register = Register(kind: .memory, payload: byteCount, flags: .readOnly)
        }
        if isPercpu(id, target) { register.flags.insert(.percpu) }
        return register
    }

    private func isPercpu(_ variable: TypeID, _ target: BTF) -> Bool {
        target.ids(named: ".data..percpu").contains { id in
            guard case .dataSection(let section) = target[id] else { return false }
            return section.entries.contains { $0.variable == variable }
        }
    }

    /// One CPU's copy of what a per-CPU address stands for.
    func percpuCopy(of value: Register) -> Register {
        var copy = value
        copy.flags.remove(.percpu)
        // The copy belongs to the object, and stays while the RCU section does.
        if value.kind == .allocated {
            copy.flags.insert(.rcu)
            copy.reference = 0
        }
        return copy
    }
}
