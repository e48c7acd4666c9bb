import BPF

/// Arguments of helpers, one by one.
extension Explorer {
    mutating func check(
        _ argument: HelperPrototype.Argument, register: UInt8, _ prototype: HelperPrototype,
        _ facts: inout CallFacts
    ) throws(Rejection) {
        if argument == .optional { return }
        let value = try readable(register)
        func mismatch(_ expected: String) -> Rejection {
            Rejection(
                .callType, "R\(register) type=\(typeName(of: value)) expected=\(expected)",
                reason: "Argument \(register) of \(prototype.name) must be \(expected).")
        }
        switch argument {
        case .anything, .optional: break
        case .scalar:
            guard value.isScalar else { throw mismatch("scalar") }
        case .context:
            guard value.kind == .context else { throw mismatch("ctx") }
            try checkUnmoved(value, register)
        case .contextOrNull:
            if value.isNullConstant { return mark(value.dependencies) }
            try check(.context, register: register, prototype, &facts)
        case .contextOr(let names):
            if value.kind == .context { return try check(.context, register: register, prototype, &facts) }
            guard value.kind == .object else { return try checkSocket(value, register, mismatch) }
            try checkObject(value, names, mismatch)
        case .socket: try checkSocket(value, register, mismatch)
        case .socketOrNull:
            if value.isNullConstant { return mark(value.dependencies) }
            try checkSocket(value, register, mismatch)
        case .socketReleased:
            try checkSocket(value, register, mismatch)
            facts.released = try checkReleasable(value, register, prototype.name)
        case .map:
            guard value.kind == .mapHandle, !value.maybeNull else { throw mismatch("map_ptr") }
            try checkMap(Int(value.payload), prototype)
            if let timer = facts.timer { try checkTimerMap(timer, value) }
            facts.map = Int(value.payload)
        case .mapKey, .mapValue, .mapValueOrNull, .mapValueOut:
            guard let map = facts.map else { throw mismatch("map_ptr") }
            if argument == .mapValueOrNull && value.isNullConstant { return mark(value.dependencies) }
            if argument == .mapValue && maps[map].type.holdsSockets {
                return try checkSocket(value, register, mismatch)
            }
            var size = argument == .mapKey ? maps[map].keySize : maps[map].valueSize
            if isWeakened(.keyIsOneByte) { size = 1 }
            try checkMemory(value, register, size, isOut: argument == .mapValueOut, isExact: true)
            if argument == .mapKey, prototype.name == "bpf_map_lookup_elem" {
                facts.isElementPresent = isPresent(value, inMap: map)
            }
        case .memory, .memoryOrNull, .memoryOut, .memoryOutOrNull:
            let isOut = argument == .memoryOut || argument == .memoryOutOrNull
            facts.pendingMemory = (register, value, isOut)
            if value.isScalar && !value.isNullConstant { throw mismatch("mem") }
        case .fixed(let size): try checkMemory(value, register, size, isOut: false, isExact: true)
        case .fixedInOut(let size):
            try checkMemory(value, register, size, isOut: false, isExact: true)
            try checkMemory(value, register, size, isOut: true, isExact: true)
        case .fixedOut(let size):
            if value.kind == .stack {
                try checkAligned(
                    Access(register: register, pointer: value, offset: 0, byteCount: size), "stack ")
            }
            try checkMemory(value, register, size, isOut: true, isExact: true)
        case .size, .sizeOrZero:
            guard let memory = facts.pendingMemory else { return }
            facts.memorySize = value.scalar.umax
            try checkSized(
                memory.pointer, memory.register, value, register, isOut: memory.isOut,
                allowsZero: argument == .sizeOrZero)
        case .allocationSize: facts.allocationSize = try allocationSize(value, register, prototype)
        case .constantString: try checkString(value, register, mismatch("const string in a read-only map"))
        case .object(let names): try checkObject(value, names, mismatch)
        case .objectOrNull(let names):
            if value.isNullConstant { return mark(value.dependencies) }
            try checkObject(value, names, mismatch)
        case .objectReleased(let names):
            try checkObject(value, names, mismatch)
            facts.released = try checkReleasable(value, register, prototype.name)
        case .record:
            guard value.kind == .memory, value.flags.contains(.record), !value.maybeNull else {
                throw mismatch("ringbuf_mem")
            }
            facts.released = try checkReleasable(value, register, prototype.name)
        case .dynptr: facts.dynptr = try dynptr(value, register, kind: nil)
        case .dynptrReleased(let kind):
            let dynptr = try dynptr(value, register, kind: kind)
            facts.released = dynptr.description.reference
        case .dynptrOut(let kind):
            if kind == .local { try checkDynptrMemory(facts) }
            facts.newDynptr = (try dynptrPlace(value, register), kind)
        case .spinLock: _ = try lockArgument(value, register, kind: .spin)
        case .timer: facts.timer = try timer(value, register)
        case .kptrField: facts.kptr = try kptrField(value, register)
        case .kptrValue: facts.released = try kptrValue(value, register, facts.kptr)
        case .percpuVariable:
            guard value.flags.contains(.percpu), !value.maybeNull else { throw mismatch("percpu_ptr_") }
        case .callback:
            guard value.kind == .function else { throw mismatch("func") }
            facts.callback = Int(value.payload)
        case .callbackContext:
            guard value.kind == .stack || value.isNullConstant else { throw mismatch("fp") }
        }
    }

    /// Whether a key is a constant below the size of an array, so that the lookup cannot fail.
    private mutating func isPresent(_ key: Register, inMap map: Int) -> Bool {
        let isArray = maps[map].type == .array || maps[map].type == .percpuArray
        guard isArray, maps[map].keySize == 4, let index = constantOnStack(key, byteCount: 4) else {
            return false
        }
        return index < UInt64(max(0, maps[map].maxEntries))
    }

    func typeName(of value: Register) -> String {
        let suffix = value.maybeNull ? "_or_null" : ""
        switch value.kind {
        case .object:
            guard let target = context.target else { return value.kind.name + suffix }
            let trust =
                value.flags.contains(.trusted)
                ? "trusted_"
                : value.flags.contains(.rcu) ? "rcu_" : value.flags.contains(.untrusted) ? "untrusted_" : ""
            let percpu = value.flags.contains(.percpu) ? "percpu_" : ""
            return "\(percpu)\(trust)ptr\(suffix) to struct \(target.typeName(TypeID(Int(value.payload))))"
        case .allocated:
            let owned = value.flags.contains(.nonOwning) ? "non_own_ref" : "alloc"
            let name = image.btf?.typeName(TypeID(Int(value.payload))) ?? "?"
            return "ptr_\(owned)\(suffix) to struct \(name)"
        default: return value.kind.name + suffix
        }
    }

    private func checkObject(
        _ value: Register, _ names: [String], _ mismatch: (String) -> Rejection
    ) throws(Rejection) {
        let expected = "trusted pointer to struct \(names.first ?? "")"
        guard let target = context.target, value.kind == .object, !value.maybeNull, mayPass(value),
            let offset = value.constantOffset
        else { throw mismatch(expected) }
        let type = TypeID(Int(value.payload))
        let matches = names.contains { name in
            target.composite(named: name).map { target.embeds($0.id, in: type, at: offset) } ?? false
        }
        guard matches else { throw mismatch(expected) }
    }

    private func checkSocket(
        _ value: Register, _ register: UInt8, _ mismatch: (String) -> Rejection
    ) throws(Rejection) {
        guard value.kind == .view else { return try checkObject(value, ["sock_common", "sock"], mismatch) }
        guard !value.maybeNull, value.constantOffset == 0 else { throw mismatch("sock") }
    }

    private func checkMap(_ index: Int, _ prototype: HelperPrototype) throws(Rejection) {
        let map = maps[index]
        if let allowed = prototype.maps, !allowed.contains(map.type), !isWeakened(.anyMapType) {
            throw Rejection(
                .callType, "cannot pass map_type \(map.type.rawValue) into func \(prototype.name)",
                reason: "Map '\(map.name)' is of type \(map.type.name), for which this helper is not made.")
        }
        let writes = prototype.name == "bpf_map_update_elem" || prototype.name == "bpf_map_delete_elem"
        if writes && map.isReadOnly && !isWeakened(.updateOfReadOnlyMap) {
            throw Rejection(
                .memory, "write into map forbidden", reason: "Map '\(map.name)' is read-only for programs.")
        }
    }

    /// How much memory the result will point to: the verifier must know it exactly.
    private mutating func allocationSize(
        _ value: Register, _ register: UInt8, _ prototype: HelperPrototype
    ) throws(Rejection) -> Int {
        mark(value.dependencies)
        guard value.isScalar, let size = value.scalar.constant else {
            throw Rejection(
                .callType, "R\(register) is not a known constant",
                reason: "How much memory \(prototype.name) gives must be known when the program is verified.",
                suggestion: "Pass a constant, or use a dynptr for sizes known only at run time.")
        }
        guard size < UInt64(Explorer.offsetLimit) else {
            throw Rejection(
                .callType, "R\(register) unbounded memory access, use 'var &= const' or 'if (var < const)'",
                reason: "Memory of \(size) bytes is more than any function gives.")
        }
        return Int(size)
    }

    private mutating func checkString(_ value: Register, _ register: UInt8, _ mismatch: Rejection)
        throws(Rejection)
    {
        guard value.kind == .mapValue, !value.maybeNull, let offset = value.constantOffset else {
            throw mismatch
        }
        try checkString(value, register, at: offset)
    }

    /// A string that the verifier can read: in a map whose contents are fixed, and terminated inside it.
    func checkString(_ value: Register, _ register: UInt8, at offset: Int) throws(Rejection) {
        let map = maps[Int(value.payload)]
        guard map.isReadOnly, let bytes = map.constants, offset >= 0, offset < bytes.count else {
            throw Rejection(
                .callType, "R\(register) does not point to a readonly map'",
                reason: "The string must be a constant: in .rodata, or a literal.")
        }
        guard bytes[offset...].contains(0) || isWeakened(.stringUnterminated) else {
            throw Rejection(
                .callType, "R\(register) string is not zero-terminated",
                reason: "The string runs to the end of map '\(map.name)'.")
        }
    }
}
