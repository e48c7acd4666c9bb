package import BPF
import Synchronization

extension OpsRuntime {
    /// Values printed through BTF: the members of `bpf_struct_ops_<type>`, function pointers as
    /// `<prototype> <function>/prog_id:<n>`, or `<prototype> 0` where none is set.
    ///
    /// - Throws: ENOENT if a selector finds nothing.
    public func dump(
        _ selector: RegistrationSelector? = nil
    ) throws(OpsError) -> [(registration: RegistrationInfo, value: DumpValue)] {
        let found = core.selected(selector)
        if found.isEmpty, let selector { throw RuntimeCore.notFound(selector) }
        var dumped: [(RegistrationInfo, DumpValue)] = []
        for map in found { dumped.append((core.info(map), try map.dump())) }
        return dumped
    }
}

extension StructOpsMap {
    func dump() throws(OpsError) -> DumpValue {
        let btf = type.btf.types
        let value = btf.value(of: type.value.id, in: try lookup()) { pointee, raw in
            guard case .prototype = btf.resolved(pointee) else { return nil }
            let prototype = btf.name(of: btf.resolve(pointee))
            guard raw != 0 else { return .text("\(prototype) 0") }
            let name = UInt32(exactly: raw).flatMap(core.program)?.prepared.name ?? "<unknown_prog_name>"
            return .text("\(prototype) \(name)/prog_id:\(raw)")
        }
        guard let value else { throw error("internal", OpsError.efault, "its value cannot be printed") }
        return DumpValue(value)
    }
}

extension DumpValue {
    /// Anything that BTF describes, for `map dump` too.
    package init(_ value: BTFValue) {
        switch value {
        case .signed(let value): self = .int(value)
        case .unsigned(let value): self = .uint(value)
        case .bytes(let bytes): self = .array(bytes.map { .uint(UInt64($0)) })
        case .bool(let value): self = .bool(value)
        case .float(let value): self = .string("\(value)")
        case .enumerator(let text), .string(let text), .text(let text): self = .string(text)
        case .pointer(let value): self = .pointer(value)
        case .array(let elements): self = .array(elements.map(DumpValue.init))
        case .structure(let fields): self = .structure(fields.map { ($0.name, DumpValue($0.value)) })
        }
    }
}
