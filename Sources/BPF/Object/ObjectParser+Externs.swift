/// `__kconfig` and `__ksym` externs: undefined symbols that BTF places in `.kconfig` or `.ksyms`.
extension ObjectParser {
    mutating func collectExterns() throws(ObjectError) {
        let places = externPlaces()
        var externs: [ExternSpec] = []
        for symbol in elf.symbols
        where symbol.isUndefined && symbol.index > 0 && (symbol.binding == .global || symbol.binding == .weak)
        {
            let name = try name(of: symbol)
            guard !name.isEmpty, externNamed[name] == nil else { continue }
            externNamed[name] = -1
            guard let place = places[name] else {
                throw ObjectError(
                    .unresolved, errno: ObjectErrno.esrch, "extern '\(name)' has no BTF",
                    reason:
                        "it is declared in no section that a loader resolves, or the object was built without -g",
                    suggestion: "declare it with __ksym or __kconfig, or define it")
            }
            externs.append(try parseExtern(name, place, isWeak: symbol.binding == .weak))
        }
        spec.externs = sorted(externs)
        try layOutKconfig()
        for (index, extern) in spec.externs.enumerated() { externNamed[extern.name] = index }
    }

    private func externPlaces() -> [String: (section: String, id: TypeID)] {
        var places: [String: (section: String, id: TypeID)] = [:]
        for section in [".kconfig", ".ksyms"] {
            for entry in dataSections[section]?.entries ?? [] {
                guard let name = btf?[entry.variable].name else { continue }
                places[name] = (section, entry.variable)
            }
        }
        return places
    }

    private func parseExtern(
        _ name: String, _ place: (section: String, id: TypeID), isWeak: Bool
    ) throws(ObjectError) -> ExternSpec {
        let kind: ExternSpec.Kind
        switch (place.section, btf?[place.id]) {
        case (".kconfig", .variable(let variable)?):
            kind = try kconfigKind(name, variable.type)
        case (".ksyms", .variable(let variable)?):
            let type = btf?.resolve(variable.type) ?? .void
            kind = .variable(type: type == .void ? nil : type)
        case (".ksyms", .function(let function)?):
            kind = .function(prototype: function.prototype)
        default:
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval, "extern '\(name)' is neither variable nor function",
                section: place.section)
        }
        return ExternSpec(name: name, id: place.id, kind: kind, isWeak: isWeak)
    }

    /// libbpf: `find_kcfg_type`.
    private func kconfigKind(_ name: String, _ type: TypeID) throws(ObjectError) -> ExternSpec.Kind {
        switch btf?.resolved(type) {
        case .int(let int)? where int.isBool && int.byteCount == 1:
            return .kconfig(.bool, offset: 0, byteCount: 1)
        case .int(let int)? where int.byteCount == 1:
            return .kconfig(.char(isSigned: int.isSigned), offset: 0, byteCount: 1)
        case .int(let int)? where [2, 4, 8].contains(int.byteCount):
            return .kconfig(
                .integer(byteCount: int.byteCount, isSigned: int.isSigned), offset: 0,
                byteCount: int.byteCount)
        case .enumeration(let enumeration)?
        where enumeration.byteCount == 4 && enumeration.name == "libbpf_tristate":
            return .kconfig(.tristate, offset: 0, byteCount: 4)
        case .array(let array)? where array.count > 0 && array.count <= 4096:
            if case .int(let element)? = btf?.resolved(array.element), element.byteCount == 1, !element.isBool
            {
                return .kconfig(.text(byteCount: array.count), offset: 0, byteCount: array.count)
            }
        default: break
        }
        throw ObjectError(
            .unsupported, errno: ObjectErrno.enotsup,
            "extern '\(name)' is \(btf?.kindName(of: type) ?? "untyped"), which no configuration value can fill",
            section: ".kconfig", suggestion: "use bool, char, an integer, enum libbpf_tristate or char[N]")
    }

    /// libbpf's order (`cmp_externs`), so that the `.kconfig` map has the same layout: configuration first, large
    /// alignment first, small size first, then by name.
    private func sorted(_ externs: [ExternSpec]) -> [ExternSpec] {
        externs.sorted { a, b in
            switch (a.kind, b.kind) {
            case (.kconfig(let typeA, _, let sizeA), .kconfig(let typeB, _, let sizeB)):
                let (alignA, alignB) = (typeA.alignment, typeB.alignment)
                if alignA != alignB { return alignA > alignB }
                if sizeA != sizeB { return sizeA < sizeB }
                return a.name < b.name
            case (.kconfig, _): return true
            case (_, .kconfig): return false
            default: return a.name < b.name
            }
        }
    }

    private static let kconfigBytesMax = 1 << 16

    /// Gives each configuration extern its place and adds the `.kconfig` map.
    private mutating func layOutKconfig() throws(ObjectError) {
        var end = 0
        var variables: [VariableSpec] = []
        for index in spec.externs.indices {
            guard case .kconfig(let type, _, let byteCount) = spec.externs[index].kind else { continue }
            let offset = (end + type.alignment - 1) / type.alignment * type.alignment
            end = offset + byteCount
            guard end <= Self.kconfigBytesMax else {
                throw ObjectError(
                    .unsupported, errno: ObjectErrno.e2big,
                    "more than \(Self.kconfigBytesMax) bytes of configuration values", section: ".kconfig")
            }
            spec.externs[index].kind = .kconfig(type, offset: offset, byteCount: byteCount)
            let id = spec.externs[index].id
            variables.append(
                VariableSpec(
                    name: spec.externs[index].name, type: variable(id)?.type ?? .void, offset: offset,
                    byteCount: byteCount, isGlobal: true))
        }
        guard end > 0 else { return }
        var map = MapSpec(name: dataMapName(".kconfig"), origin: .kconfig, type: .array)
        map.keySize = 4
        map.valueSize = end
        map.maxEntries = 1
        map.flags = MapFlags.readOnlyForPrograms | MapFlags.mmapable
        map.variables = variables
        kconfigMap = spec.maps.count
        spec.maps.append(map)
    }
}

extension KconfigType {
    var alignment: Int {
        switch self {
        case .bool, .char, .text: 1
        case .integer(let byteCount, _): byteCount
        case .tristate: 4
        }
    }
}
