import BPF

/// States and registers as the kernel's log writes them. Kernel counterpart: `print_verifier_state`.
struct StateText {
    let image: ProgramImage
    let target: BTF?

    /// Everything known: `R1=ctx() R10=fp0`.
    func all(_ state: State) -> String {
        var parts: [String] = []
        let frame = state.frames[state.top]
        if state.top > 0 { parts.append("frame\(state.top):") }
        for register in 0...10 where frame.registers[register].kind != .uninitialised {
            parts.append("R\(register)=\(text(of: frame.registers[register], in: state.top))")
        }
        for (index, slot) in frame.slots.enumerated() where !slot.isUninitialised {
            parts.append(text(of: slot, index, in: state.top))
        }
        parts += held(state)
        return parts.joined(separator: " ")
    }

    /// What an instruction changed.
    func changes(_ before: State, _ state: State) -> String {
        guard before.top == state.top else { return all(state) }
        let (old, new) = (before.frames[before.top], state.frames[state.top])
        var parts: [String] = []
        for register in 0..<10 where old.registers[register] != new.registers[register] {
            let value = new.registers[register]
            guard value.kind != .uninitialised else { continue }
            parts.append("R\(register)=\(text(of: value, in: state.top))")
        }
        for (index, slot) in new.slots.enumerated()
        where index >= old.slots.count ? !slot.isUninitialised : slot != old.slots[index] {
            parts.append(text(of: slot, index, in: state.top))
        }
        if state.held != before.held { parts += held(state) }
        guard !parts.isEmpty, state.top > 0 else { return parts.joined(separator: " ") }
        return "frame\(state.top): " + parts.joined(separator: " ")
    }

    private func held(_ state: State) -> [String] {
        var parts: [String] = []
        let references = state.held.references
        if !references.isEmpty {
            parts.append("refs=" + references.map { String($0.id) }.joined(separator: ","))
        }
        if !state.held.locks.isEmpty { parts.append("locks=\(state.held.locks.count)") }
        if state.held.rcuDepth > 0 { parts.append("rcu=\(state.held.rcuDepth)") }
        if state.held.preemptDepth > 0 { parts.append("preempt=\(state.held.preemptDepth)") }
        return parts
    }

    // MARK: The stack

    private func text(of slot: StackSlot, _ index: Int, in frame: Int) -> String {
        let name = "fp\(-8 * (index + 1))"
        if slot.isWholeSpill { return "\(name)=\(text(of: slot.spill, in: frame))" }
        // As the kernel lists them: the byte at the highest address first.
        let bytes = (0..<8).reversed().map { byte -> Character in
            switch slot[byte] {
            case .uninitialised: "?"
            case .spill: "r"
            case .misc: "m"
            case .zero: "0"
            // A dynptr, an iterator or saved interrupt state.
            case .opaque: slot.spill.kind == .dynptr ? "d" : slot.spill.kind == .irqFlag ? "f" : "i"
            }
        }
        return "\(name)=\(String(bytes))"
    }

    // MARK: Registers

    /// `scalar(umax=255,var_off=(0x0; 0xff))`, `map_value(map=counts,ks=4,vs=8)`, `fp-16`.
    func text(of register: Register, in frame: Int) -> String {
        switch register.kind {
        case .uninitialised: return "?"
        case .scalar:
            if let constant = register.scalar.constant { return signed(Int64(bitPattern: constant)) }
            return "scalar(\((id(register) + ranges(register.scalar)).joined(separator: ",")))"
        case .stack:
            let owner = Int(register.payload) == frame ? "" : "[\(register.payload)]"
            if let offset = register.constantOffset { return "fp\(owner)\(offset)" }
            return "fp\(owner)(\((id(register) + offsets(register)).joined(separator: ",")))"
        default:
            return "\(name(of: register))(\((id(register) + details(register)).joined(separator: ",")))"
        }
    }

    private func name(of register: Register) -> String {
        let suffix = register.maybeNull ? "_or_null" : ""
        guard register.kind == .object else {
            guard register.kind == .view, let id = StructViews.ID(rawValue: register.payload) else {
                return register.kind.name + suffix
            }
            return id.name + suffix
        }
        let flags = register.flags
        let trust =
            flags.contains(.trusted)
            ? "trusted_" : flags.contains(.rcu) ? "rcu_" : flags.contains(.untrusted) ? "untrusted_" : ""
        let percpu = flags.contains(.percpu) ? "percpu_" : ""
        return "\(percpu)\(trust)ptr\(suffix)_\(target?.typeName(TypeID(Int(register.payload))) ?? "?")"
    }

    private func id(_ register: Register) -> [String] {
        var parts: [String] = []
        if register.id != 0 { parts.append("id=\(register.id)") }
        if register.reference != 0 { parts.append("ref_obj_id=\(register.reference)") }
        return parts
    }

    private func details(_ register: Register) -> [String] {
        var parts: [String] = []
        switch register.kind {
        case .mapHandle, .mapValue, .mapKey:
            let index = Int(register.payload)
            if image.maps.indices.contains(index) {
                let map = image.maps[index]
                parts.append("map=\(map.name),ks=\(map.keySize),vs=\(map.valueSize)")
            }
        case .memory: parts.append("sz=\(register.payload)")
        default: break
        }
        return parts + offsets(register)
    }

    private func offsets(_ register: Register) -> [String] {
        var parts: [String] = []
        if register.offset != 0 { parts.append("off=\(register.offset)") }
        if register.isPacket { parts.append("r=\(register.payload)") }
        if let constant = register.scalar.constant {
            if constant != 0 { parts.append("imm=\(signed(Int64(bitPattern: constant)))") }
            return parts
        }
        return parts + ranges(register.scalar)
    }

    /// Bounds that say something, equal ones together. Kernel counterpart: `print_scalar_ranges`.
    private func ranges(_ scalar: Scalar) -> [String] {
        let bounds: [(name: String, value: String, isTold: Bool)] = [
            ("smin", signed(scalar.smin), scalar.smin != .min),
            ("smax", signed(scalar.smax), scalar.smax != .max),
            ("umin", unsigned(scalar.umin), scalar.umin != 0),
            ("umax", unsigned(scalar.umax), scalar.umax != .max),
            ("smin32", signed(Int64(scalar.s32min)), scalar.s32min != .min),
            ("smax32", signed(Int64(scalar.s32max)), scalar.s32max != .max),
            ("umin32", unsigned(UInt64(scalar.u32min)), scalar.u32min != 0),
            ("umax32", unsigned(UInt64(scalar.u32max)), scalar.u32max != .max),
        ]
        var parts: [String] = []
        var done: Set<String> = []
        for bound in bounds where bound.isTold && !done.contains(bound.value) {
            done.insert(bound.value)
            let names = bounds.filter { $0.isTold && $0.value == bound.value }.map(\.name)
            parts.append(names.joined(separator: "=") + "=" + bound.value)
        }
        if scalar.tnum != .unknown {
            parts.append("var_off=\(scalar.tnum.text)")
        }
        return parts
    }

    private func signed(_ value: Int64) -> String {
        if value >= Int64(Int16.min) && value <= Int64(Int16.max) { return String(value) }
        return hex(UInt64(bitPattern: value))
    }

    private func unsigned(_ value: UInt64) -> String {
        value <= UInt64(UInt16.max) ? String(value) : hex(value)
    }

    private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}

extension Tnum {
    /// As the kernel writes it: `(value; mask)`.
    var text: String { "(0x\(String(value, radix: 16)); 0x\(String(mask, radix: 16)))" }
}
