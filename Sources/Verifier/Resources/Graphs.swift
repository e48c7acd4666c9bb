import BPF

/// The head of a list or the root of a tree, as an argument.
struct GraphRoot {
    var elements: SpecialField.Elements
    var field: SpecialField
}

/// Lists and trees of allocated objects. Under the lock that lies beside the head, objects go in and come out; what is
/// inside belongs to the list, and the program's pointers to it own nothing and end with the lock.
extension Explorer {
    /// Kernel counterpart: `process_kf_arg_ptr_to_graph_root`.
    mutating func graphRoot(
        _ value: Register, _ register: UInt8, _ effect: KfuncEffect?
    ) throws(Rejection) -> GraphRoot {
        let isTree =
            switch effect {
            case .treeAdd?, .treeRemove?, .treePeek?: true
            default: false
            }
        let name = isTree ? "bpf_rb_root" : "bpf_list_head"
        let field = try fieldArgument(value, register, name) { kind in
            switch kind {
            case .listHead: !isTree
            case .treeRoot: isTree
            default: false
            }
        }
        guard let lock = specialFields(of: value).lock else {
            throw Rejection(
                .callType, "\(name) has no bpf_spin_lock beside it",
                reason: "A list or tree is protected by a lock in the same value or object.")
        }
        guard !state.held.locks.isEmpty else {
            throw Rejection(
                .resourceLifetime, "bpf_spin_lock at off=\(lock.offset) must be held for \(name)",
                reason: "Other CPUs may change the list or tree at the same time.",
                suggestion: "Take the lock with bpf_spin_lock() first.")
        }
        guard state.held.locks.contains(where: { $0.owner == owner(of: value) && $0.id == value.id }) else {
            throw Rejection(
                .resourceLifetime, "held lock and object are not in the same allocation",
                reason: "The lock held protects another value.")
        }
        switch field.kind {
        case .listHead(let elements), .treeRoot(let elements):
            return GraphRoot(elements: elements, field: field)
        default: throw Rejection.unsupported(name)
        }
    }

    /// Kernel counterpart: `process_kf_arg_ptr_to_graph_node`.
    mutating func checkNode(_ value: Register, _ register: UInt8, _ facts: inout KfuncFacts) throws(Rejection)
    {
        let name = facts.kfunc.name
        guard value.kind == .allocated, !value.flags.contains(.untrusted) else {
            throw mismatch(
                register, facts, "arg#\(register - 1) expected pointer to allocated object",
                "an object that the program has allocated")
        }
        if convertsOwnership(facts.effect) {
            guard value.reference != 0 else {
                throw mismatch(
                    register, facts, "allocated object must be referenced", "one that the program owns")
            }
        } else {
            guard value.flags.contains(.nonOwning) || value.reference != 0 else {
                throw mismatch(
                    register, facts, "\(name) can only take non-owning or refcounted bpf_rb_node pointer",
                    "a node of the tree")
            }
            try checkOutsideTreeCallback(name)
        }
        if let root = facts.root { try checkPlace(of: value, register, in: root, facts) }
        facts.allocated = value
    }

    private func checkPlace(
        of value: Register, _ register: UInt8, in root: GraphRoot, _ facts: KfuncFacts
    ) throws(Rejection) {
        let wanted = root.elements
        guard value.payload == Int32(wanted.type.index), value.constantOffset == wanted.nodeOffset else {
            let name = image.btf?.typeName(wanted.type) ?? "?"
            throw mismatch(
                register, facts,
                "operation on \(root.field.name) expects arg#\(register - 1) at offset=\(wanted.nodeOffset) in struct \(name), "
                    + "but arg is at offset=\(value.constantOffset ?? 0) in \(typeName(of: value))",
                "the node that the head's declaration names")
        }
    }

    private func checkOutsideTreeCallback(_ name: String) throws(Rejection) {
        guard isInTreeCallback else { return }
        throw Rejection(
            .resourceLifetime, "\(name) not allowed in rbtree cb",
            reason: "The tree is being changed while the comparison runs.")
    }

    // MARK: Into

    /// The object belongs to the list now.
    mutating func pushed(_ facts: KfuncFacts) throws(Rejection) -> Register {
        if let reference = facts.allocated?.reference { disown(reference) }
        return .unknown
    }

    mutating func treeAdd(_ facts: KfuncFacts) throws(Rejection) -> Flow {
        try checkOutsideTreeCallback(facts.kfunc.name)
        guard let callback = facts.callback, let root = facts.root else {
            return try finish(.unknown)
        }
        // The call is looked at again after each comparison: what it takes over stays with the caller until it is over.
        let node = element(of: root)
        return try turn(callback, .treeOrder, [node, node], result: .unknown) { explorer in
            if let reference = facts.allocated?.reference { explorer.disown(reference) }
        }
    }

    /// Pointers that owned a reference go on as pointers to what the list or tree owns.
    private mutating func disown(_ reference: UInt32) {
        state.held.drop(reference: reference)
        state.forEachRegister { register in
            guard register.kind == .allocated, register.reference == reference else { return }
            register.reference = 0
            register.flags.insert(.nonOwning)
        }
        note(.released)
    }

    // MARK: Out of

    mutating func taken(_ facts: KfuncFacts) throws(Rejection) -> Register {
        guard let root = facts.root else { return .unknown }
        var result = element(of: root)
        if facts.has(.acquire) {
            result.flags.remove(.nonOwning)
            result.reference = acquire()
        }
        return settled(result, facts)
    }

    private func element(of root: GraphRoot) -> Register {
        Register(
            kind: .allocated, payload: root.elements.type.index, offset: root.elements.nodeOffset,
            flags: .nonOwning)
    }
}
