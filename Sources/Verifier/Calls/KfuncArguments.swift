import BPF

/// Arguments of kfuncs, one by one.
extension Explorer {
    /// - Returns: how many parameters were checked: two for memory with its size.
    mutating func checkParameter(
        _ index: Int, _ facts: inout KfuncFacts, _ target: BTF
    ) throws(Rejection) -> Int {
        let parameter = facts.prototype.parameters[index]
        let register = UInt8(index + 1)
        guard
            let expected = KfuncParameter.of(
                index, facts.prototype, isIterator: isIteratorCall(facts.kfunc), in: target)
        else {
            throw Rejection.unsupported("kfunc \(facts.kfunc.name) (pointer parameter \(parameter.name))")
        }
        if expected == .ignored { return 1 }
        let value = try readable(register)
        let width = if case .buffer = expected { 2 } else { 1 }
        if isPointer(expected), try isAcceptedNull(value, register, parameter, facts) {
            if width == 2 { try checkSizeOfNull(register + 1, expected, &facts) }
            return width
        }
        switch expected {
        case .ignored: break
        case .number(let isConstant): try checkNumber(value, register, parameter, isConstant, &facts)
        case .resultSize(let isReadOnly):
            let size = try constant(value, register, parameter, facts)
            guard size < UInt64(Explorer.offsetLimit) else { throw notConstant(register, parameter, facts) }
            facts.resultSize = (Int(size), isReadOnly)
        case .iterator: facts.iterator = try checkIterator(value, register, index, facts, target)
        case .dynptr(let isNew, let isChanged): try checkDynptr(value, register, isNew, isChanged, &facts)
        case .listHead, .treeRoot: facts.root = try graphRoot(value, register, facts.effect)
        case .listNode, .treeNode: try checkNode(value, register, &facts)
        case .constantString: try checkStringArgument(value, register, facts)
        case .map:
            guard value.kind == .mapHandle, !value.maybeNull else {
                throw mismatch(register, facts, "pointer in R\(register) isn't map pointer", "a map")
            }
            // A map without such a field is let through: the call then fails at run time.
            let hasField = specialFields(ofMap: Int(value.payload)).fields.contains { $0.kind == .workQueue }
            if let field = facts.field, hasField { try checkTimerMap(field, value) }
        case .workQueue:
            _ = try fieldArgument(value, register, "bpf_wq") { $0 == .workQueue }
            facts.field = value
        case .timer:
            _ = try fieldArgument(value, register, "bpf_timer") { $0 == .timer }
            facts.field = value
        case .taskWork:
            _ = try fieldArgument(value, register, "bpf_task_work") { $0 == .taskWork }
            facts.field = value
        case .irqFlag: facts.irqFlag = (value, register)
        case .resilientLock:
            let kind: HeldLock.Kind = facts.kfunc.name.contains("_irq") ? .resilientIRQ : .resilient
            facts.lock = try lockArgument(value, register, kind: kind)
        case .allocated, .counted: try checkAllocatedArgument(value, register, expected, &facts)
        case .callback:
            guard value.kind == .function else {
                throw mismatch(
                    register, facts, "arg\(index) expected pointer to func", "a function of the program")
            }
            facts.callback = Int(value.payload)
        case .buffer(let isConst, let hasConstantSize):
            try checkBuffer(value, register, isConst, hasConstantSize, &facts)
        case .object(let type, let size):
            try checkObject(value, register, type, size, parameter, &facts, target)
        case .memory(let byteCount, let isConst):
            try checkPlain(value, register, byteCount, isConst: isConst)
        case .opaque: try checkOpaque(value, register, parameter, facts)
        }
        return width
    }

    func mismatch(
        _ register: UInt8, _ facts: KfuncFacts, _ problem: String, _ expected: String
    ) -> Rejection {
        Rejection(
            .callType, problem, reason: "Argument \(register) of \(facts.kfunc.name) must be \(expected).")
    }

    // MARK: Numbers

    private mutating func checkNumber(
        _ value: Register, _ register: UInt8, _ parameter: BTFParameter, _ isConstant: Bool,
        _ facts: inout KfuncFacts
    ) throws(Rejection) {
        guard value.isScalar else {
            throw mismatch(
                register, facts, "R\(register) is not a scalar", "a number ('\(parameter.name)')")
        }
        if isConstant { facts.constant = try constant(value, register, parameter, facts) }
    }

    private mutating func constant(
        _ value: Register, _ register: UInt8, _ parameter: BTFParameter, _ facts: KfuncFacts
    ) throws(Rejection) -> UInt64 {
        mark(value.dependencies)
        guard value.isScalar, let constant = value.scalar.constant else {
            throw notConstant(register, parameter, facts)
        }
        return constant
    }

    private func notConstant(_ register: UInt8, _ parameter: BTFParameter, _ facts: KfuncFacts) -> Rejection {
        mismatch(
            register, facts, "R\(register) must be a known constant", "a constant ('\(parameter.name)')")
    }

    // MARK: NULL

    private func isPointer(_ expected: KfuncParameter) -> Bool {
        switch expected {
        case .ignored, .number, .resultSize: false
        default: true
        }
    }

    /// Whether the argument is NULL where it may be.
    private mutating func isAcceptedNull(
        _ value: Register, _ register: UInt8, _ parameter: BTFParameter, _ facts: KfuncFacts
    ) throws(Rejection) -> Bool {
        let isNullable = parameter.name.hasSuffix("__nullable") || parameter.name.hasSuffix("__opt")
        if isNullable && value.isNullConstant {
            mark(value.dependencies)
            return true
        }
        if !isWeakened(.maybeNullArgument), value.isNullConstant || (value.maybeNull && !isNullable) {
            throw Rejection(
                .callType, "Possibly NULL pointer passed to trusted arg\(register - 1)",
                reason: "\(facts.kfunc.name) uses '\(parameter.name)' without testing it.",
                suggestion: "Test the pointer before the call.")
        }
        return false
    }

    // MARK: Memory

    private mutating func checkBuffer(
        _ value: Register, _ register: UInt8, _ isConst: Bool, _ hasConstantSize: Bool,
        _ facts: inout KfuncFacts
    ) throws(Rejection) {
        let size = try readable(register + 1)
        // A kfunc may write what it is not told to leave alone: room for that need not be initialised.
        try checkSized(value, register, size, register + 1, isOut: !isConst, allowsZero: true)
        if hasConstantSize { try noteConstantSize(size, register + 1, &facts) }
    }

    private mutating func checkSizeOfNull(
        _ register: UInt8, _ expected: KfuncParameter, _ facts: inout KfuncFacts
    ) throws(Rejection) {
        let size = try readable(register)
        guard size.isScalar else {
            throw mismatch(register, facts, "R\(register) is not a scalar", "a size")
        }
        if case .buffer(_, hasConstantSize: true) = expected {
            try noteConstantSize(size, register, &facts)
        }
    }

    private mutating func noteConstantSize(
        _ size: Register, _ register: UInt8, _ facts: inout KfuncFacts
    ) throws(Rejection) {
        mark(size.dependencies)
        guard let constant = size.scalar.constant, constant < UInt64(Explorer.offsetLimit) else {
            throw mismatch(register, facts, "R\(register) must be a known constant", "a constant size")
        }
        facts.constantSize = Int(constant)
    }

    private mutating func checkPlain(
        _ value: Register, _ register: UInt8, _ size: Int, isConst: Bool
    ) throws(Rejection) {
        try checkMemory(value, register, size, isOut: false, isExact: true)
        if !isConst { try checkMemory(value, register, size, isOut: true, isExact: false) }
    }

    private func checkStringArgument(
        _ value: Register, _ register: UInt8, _ facts: KfuncFacts
    ) throws(Rejection) {
        guard value.kind == .mapValue, let offset = value.constantOffset else {
            throw mismatch(
                register, facts, "arg#\(register - 1) doesn't point to a const string", "a constant string")
        }
        try checkString(value, register, at: offset)
    }

    private func checkOpaque(
        _ value: Register, _ register: UInt8, _ parameter: BTFParameter, _ facts: KfuncFacts
    ) throws(Rejection) {
        if case .kernelContext? = facts.effect {
            guard value.kind == .context, value.constantOffset == 0 else {
                throw mismatch(register, facts, "arg#0 expected pointer to ctx", "the program's context")
            }
            return
        }
        throw Rejection.unsupported("kfunc \(facts.kfunc.name) (pointer parameter \(parameter.name))")
    }

    // MARK: Objects

    private mutating func checkObject(
        _ value: Register, _ register: UInt8, _ wanted: TypeID, _ size: Int?, _ parameter: BTFParameter,
        _ facts: inout KfuncFacts, _ target: BTF
    ) throws(Rejection) {
        let name = target.typeName(wanted)
        if value.kind == .context, context.isContext(name) {
            guard value.constantOffset == 0 else {
                throw mismatch(
                    register, facts, "dereference of modified ctx ptr R\(register) is disallowed",
                    "the context itself")
            }
            return
        }
        guard value.kind == .object else {
            guard let size else {
                throw mismatch(
                    register, facts,
                    "arg#\(register - 1) expected pointer to struct \(name), got \(typeName(of: value))",
                    "a trusted pointer to struct \(name)")
            }
            return try checkPlain(
                value, register, size, isConst: target.isConstPointee(parameter.type))
        }
        try checkTrust(value, register, name, facts)
        guard let offset = value.constantOffset,
            target.embeds(wanted, in: TypeID(Int(value.payload)), at: offset) || isWeakened(.anyObjectType)
        else {
            throw mismatch(
                register, facts,
                "arg#\(register - 1) expected pointer to struct \(name), got \(typeName(of: value))",
                "a pointer to struct \(name)")
        }
        guard facts.has(.release), value.reference != 0 else { return }
        guard offset == 0 else {
            throw mismatch(
                register, facts, "R\(register) must have zero offset when passed to release func",
                "the object itself")
        }
        facts.released = value.reference
    }

    private func checkTrust(
        _ value: Register, _ register: UInt8, _ name: String, _ facts: KfuncFacts
    ) throws(Rejection) {
        let isRCU = value.flags.contains(.rcu)
        let asksForTrust = facts.has(.trustedArgs) || facts.has(.release)
        let isGoodEnough =
            value.flags.contains(.trusted) || value.reference != 0
            || (isRCU ? !asksForTrust : !asksForTrust && !facts.has(.rcu))
        if isGoodEnough && mayPass(value) || isWeakened(.untrustedArgument) { return }
        throw mismatch(
            register, facts,
            facts.has(.rcu)
                ? "R\(register) must be a rcu pointer" : "R\(register) must be referenced or trusted",
            isRCU
                ? "a referenced pointer to struct \(name); this one is valid inside the RCU section only"
                : "a trusted pointer to struct \(name); this one was read from memory")
    }

    private mutating func checkDynptr(
        _ value: Register, _ register: UInt8, _ isNew: Bool, _ isChanged: Bool, _ facts: inout KfuncFacts
    ) throws(Rejection) {
        if isNew {
            facts.newDynptr = try dynptrPlace(value, register)
            return
        }
        let argument = try dynptr(value, register, kind: nil, isChanged: isChanged)
        if facts.dynptr == nil { facts.dynptr = argument }
    }
}

extension BTF {
    /// Whether a pointer type points to something const.
    func isConstPointee(_ pointer: TypeID) -> Bool {
        guard case .pointer(var id) = resolved(pointer) else { return false }
        while true {
            switch self[id] {
            case .const: return true
            case .typedef(_, let of), .volatile(let of), .restrict(let of), .typeTag(_, let of): id = of
            default: return false
            }
        }
    }

    /// Numbers, and structs and arrays of numbers: memory of the program's own will do for it.
    func isPlainData(_ id: TypeID) -> Bool {
        switch resolvedKind(of: id) {
        case .int, .enumeration, .enum64: return true
        case .array, .struct, .union: break
        default: return false
        }
        return switch resolved(id) {
        case .array(let array): isPlainData(array.element)
        case .composite(let composite): composite.members.allSatisfy { isPlainData($0.type) }
        default: false
        }
    }
}
