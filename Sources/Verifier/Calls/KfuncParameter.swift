import BPF

/// What a kfunc's parameter takes, as its type and name say.
///
/// Kernel counterpart: `enum kfunc_ptr_arg_type`. Suffixes: Documentation/bpf/kfuncs.rst, section 2.2.
enum KfuncParameter: Equatable {
    /// `__ign`, `__prog`, `__aux`: whatever the register holds.
    case ignored
    case number(isConstant: Bool)
    /// Size of the memory that the result points to.
    case resultSize(isReadOnly: Bool)
    case iterator
    case dynptr(isNew: Bool, isChanged: Bool)
    case listHead, listNode, treeRoot, treeNode
    case constantString
    case map
    case workQueue, timer, taskWork
    case irqFlag
    case resilientLock
    /// `__alloc`: an object of the program's own type, which the kfunc takes over.
    case allocated
    /// `__refcounted_kptr`
    case counted
    case callback
    /// Memory whose size is the next argument.
    case buffer(isConst: Bool, hasConstantSize: Bool)
    /// Object of the kernel, or, if `size`, plain memory of that many bytes.
    case object(TypeID, size: Int?)
    case memory(byteCount: Int, isConst: Bool)
    /// `void *` of no known size.
    case opaque
}

extension KfuncParameter {
    /// - Parameters:
    ///   - index: which parameter of `prototype`.
    ///   - isIterator: the kfunc makes, advances or destroys an iterator, its first argument.
    static func of(
        _ index: Int, _ prototype: BTFPrototype, isIterator: Bool, in btf: BTF
    ) -> KfuncParameter? {
        let parameter = prototype.parameters[index]
        let name = parameter.name
        if ["__ign", "__prog", "__aux"].contains(where: { name.hasSuffix($0) }) { return .ignored }
        guard case .pointer = btf.resolved(parameter.type), let pointee = btf.pointee(of: parameter.type)
        else {
            if name.hasSuffix("__rdonly_buf_size") { return .resultSize(isReadOnly: true) }
            if name.hasSuffix("__rdwr_buf_size") { return .resultSize(isReadOnly: false) }
            return .number(isConstant: name.hasSuffix("__k"))
        }
        if isIterator && index == 0 || name.hasSuffix("__iter") { return .iterator }
        let bySuffix: [(String, KfuncParameter)] = [
            ("__alloc", .allocated), ("__refcounted_kptr", .counted), ("__str", .constantString),
            ("__map", .map), ("__irq_flag", .irqFlag),
        ]
        for (suffix, parameter) in bySuffix where name.hasSuffix(suffix) { return parameter }
        if case .prototype = btf[pointee] { return .callback }
        let isConst = btf.isConstPointee(parameter.type)
        if case .composite(let composite) = btf[pointee],
            let special = special(composite.name, isNew: name.hasSuffix("__uninit"), isConst: isConst)
        {
            return special
        }
        if index + 1 < prototype.parameters.count {
            let size = prototype.parameters[index + 1].name
            if size.hasSuffix("__sz") || size.hasSuffix("__szk") {
                return .buffer(isConst: isConst, hasConstantSize: size.hasSuffix("__szk"))
            }
        }
        let size = btf.isPlainData(pointee) ? btf.byteCount(of: pointee) : nil
        switch btf[pointee] {
        case .composite: return .object(pointee, size: size)
        case .forward: return .object(pointee, size: nil)
        case .void: return name.hasPrefix("p__map") ? .map : .opaque
        default: return size.map { .memory(byteCount: $0, isConst: isConst) }
        }
    }

    private static func special(_ name: String, isNew: Bool, isConst: Bool) -> KfuncParameter? {
        switch name {
        case "bpf_dynptr": .dynptr(isNew: isNew, isChanged: !isConst)
        case "bpf_list_head": .listHead
        case "bpf_list_node": .listNode
        case "bpf_rb_root": .treeRoot
        case "bpf_rb_node": .treeNode
        case "bpf_wq": .workQueue
        case "bpf_timer": .timer
        case "bpf_task_work": .taskWork
        case "bpf_res_spin_lock": .resilientLock
        default: nil
        }
    }
}
