/// Maps defined by variables of `.maps`: anonymous structs whose members are `__uint`, `__type` and the like.
extension ObjectParser {
    mutating func collectMapDefinitions() throws(ObjectError) {
        guard let section = elf.section(named: ".maps") else { return }
        guard let btf, let variables = dataSections[".maps"] else {
            throw ObjectError(
                .malformed, errno: ObjectErrno.enoent,
                "map definitions need BTF, and the object has none for them",
                section: ".maps", suggestion: "compile with clang -target bpf -g")
        }
        for entry in variables.entries.sorted(by: { $0.offset < $1.offset }) {
            guard let variable = variable(entry.variable) else {
                throw ObjectError(
                    .malformed, errno: ObjectErrno.einval,
                    "DATASEC entry \(entry.variable.rawValue) is no variable",
                    section: ".maps")
            }
            guard entry.offset >= 0, UInt64(entry.offset) < max(section.byteCount, 1) else {
                throw ObjectError(
                    .malformed, errno: ObjectErrno.einval,
                    "offset \(entry.offset) is beyond the section's \(section.byteCount) bytes",
                    section: ".maps", map: variable.name)
            }
            let map = try MapDefinition(variable.type, named: variable.name, in: btf).spec
            definitionAt[Place(section: section.index, offset: entry.offset)] = spec.maps.count
            spec.maps.append(map)
        }
    }
}

/// One map definition being read. libbpf: `parse_btf_map_def`.
private struct MapDefinition {
    private let btf: BTF
    /// It describes what lies in a map of maps.
    private let isInner: Bool
    private(set) var spec: MapSpec

    init(_ type: TypeID, named name: String, isInner: Bool = false, in btf: BTF) throws(ObjectError) {
        self.btf = btf
        self.isInner = isInner
        spec = MapSpec(name: name, origin: .definition, type: MapType(rawValue: 0))
        guard case .composite(let definition) = btf.resolved(type), !definition.isUnion else {
            throw error("its type is \(btf.kindName(of: type)), expected a struct")
        }
        for member in definition.members { try read(member) }
        guard spec.type.rawValue != 0 else {
            throw error("map type isn't specified", suggestion: "add __uint(type, BPF_MAP_TYPE_…)")
        }
    }

    private mutating func read(_ member: BTFMember) throws(ObjectError) {
        switch member.name {
        case "type": spec.type = MapType(rawValue: try number(member))
        case "max_entries": spec.maxEntries = Int(try number(member))
        case "map_flags": spec.flags = try number(member)
        case "key_size": try setKey(size: Int(try number(member)), member)
        case "value_size": try setValue(size: Int(try number(member)), member)
        case "key": try readType(member, isKey: true)
        case "value": try readType(member, isKey: false)
        // Which memory node it lies on, and a hint for bloom filters: neither changes what a program sees here.
        case "numa_node", "map_extra": _ = try number(member)
        case "pinning": try readPinning(member)
        case "values": try readValues(member)
        default:
            throw error(
                "unknown field '\(member.name)'", member: member.name, errno: ObjectErrno.enotsup,
                suggestion:
                    "known are type, max_entries, map_flags, key, value, key_size, value_size, pinning, values, numa_node, map_extra"
            )
        }
    }

    /// `__uint(name, N)` is `int (*name)[N]`; `__ulong(name, N)` is `enum { v = N } *name`.
    private func number(_ member: BTFMember) throws(ObjectError) -> UInt32 {
        if let pointee = btf.pointee(of: member.type) {
            switch btf[pointee] {
            case .array(let array):
                if let value = UInt32(exactly: array.count) { return value }
            case .enumeration(let enumeration):
                if let first = enumeration.values.first { return UInt32(truncatingIfNeeded: first.value) }
            default: break
            }
        }
        throw error(
            "field '\(member.name)' is \(btf.kindName(of: member.type)), expected a pointer to array",
            member: member.name, suggestion: "write __uint(\(member.name), N)")
    }

    private mutating func readType(_ member: BTFMember, isKey: Bool) throws(ObjectError) {
        guard case .pointer(let target) = btf.resolved(member.type) else {
            throw error(
                "field '\(member.name)' is \(btf.kindName(of: member.type)), expected a pointer",
                member: member.name, suggestion: "write __type(\(member.name), TYPE)")
        }
        guard let size = btf.byteCount(of: target) else {
            throw error(
                "size of the \(member.name) type (\(btf.kindName(of: target))) is not known",
                member: member.name)
        }
        if isKey {
            try setKey(size: size, member)
            spec.keyType = target
        } else {
            try setValue(size: size, member)
            spec.valueType = target
        }
    }

    private mutating func setKey(size: Int, _ member: BTFMember) throws(ObjectError) {
        guard spec.keySize == 0 || spec.keySize == size else {
            throw error("conflicting key sizes \(spec.keySize) and \(size)", member: member.name)
        }
        spec.keySize = size
    }

    private mutating func setValue(size: Int, _ member: BTFMember) throws(ObjectError) {
        guard spec.valueSize == 0 || spec.valueSize == size else {
            throw error("conflicting value sizes \(spec.valueSize) and \(size)", member: member.name)
        }
        spec.valueSize = size
    }

    private mutating func readPinning(_ member: BTFMember) throws(ObjectError) {
        let value = try number(member)
        guard let pinning = MapSpec.Pinning(rawValue: value) else {
            throw error(
                "pinning \(value), expected 0 (LIBBPF_PIN_NONE) or 1 (LIBBPF_PIN_BY_NAME)",
                member: member.name)
        }
        spec.pinning = pinning
    }

    /// `__array(values, …)`: the template of inner maps, or the programs of a prog array.
    private mutating func readValues(_ member: BTFMember) throws(ObjectError) {
        spec.valueSize = 4
        if let template = template(member) {
            guard !isInner else { throw error("maps of maps of maps are not allowed", member: member.name) }
            spec.inner = [
                try MapDefinition(template, named: spec.name + ".inner", isInner: true, in: btf).spec
            ]
        }
        spec.unsupported =
            spec.type == .progArray
            ? "its programs are set by '__array(values, …)', and tail calls are not built here"
            : "'__array(values, …)' makes it a map of maps, which is not built here"
    }

    /// The struct that defines the inner maps: `struct inner *values[]`.
    private func template(_ member: BTFMember) -> TypeID? {
        guard case .array(let array) = btf.resolved(member.type),
            let pointee = btf.pointee(of: array.element),
            case .composite = btf[pointee]
        else { return nil }
        return pointee
    }

    private func error(
        _ text: String, member: String? = nil, errno: CInt = ObjectErrno.einval, suggestion: String? = nil
    ) -> ObjectError {
        ObjectError(
            errno == ObjectErrno.enotsup ? .unsupported : .malformed, errno: errno, text, section: ".maps",
            map: spec.name, member: member, suggestion: suggestion)
    }
}

extension BTF {
    /// Kind of the type behind typedefs and qualifiers, as bpftool spells it: `STRUCT`, `PTR`.
    package func kindName(of id: TypeID) -> String {
        switch resolved(id) {
        case .void: "void"
        case .int: "INT"
        case .pointer: "PTR"
        case .array: "ARRAY"
        case .composite(let type): type.isUnion ? "UNION" : "STRUCT"
        case .enumeration(let type): type.is64 ? "ENUM64" : "ENUM"
        case .forward: "FWD"
        case .typedef: "TYPEDEF"
        case .volatile: "VOLATILE"
        case .const: "CONST"
        case .restrict: "RESTRICT"
        case .function: "FUNC"
        case .prototype: "FUNC_PROTO"
        case .variable: "VAR"
        case .dataSection: "DATASEC"
        case .float: "FLOAT"
        case .declTag: "DECL_TAG"
        case .typeTag: "TYPE_TAG"
        }
    }
}
