import BPF
import Verifier

/// First contents of data maps, values of `.kconfig`, and the verifier's view of every map.
extension Linker {
    mutating func fillData() throws(OpsError) {
        var unused = Set(options.globals.keys)
        for map in spec.maps {
            var contents = map.contents
            if case .kconfig = map.origin {
                contents = try kconfigContents(map)
            } else if case .data = map.origin {
                try override(map, &contents, &unused)
            }
            linked.maps.append(linkedMap(map, contents))
        }
        for name in unused.sorted() {
            try fail(
                OpsError(
                    "not-found", errno: OpsError.enoent, "no global variable '\(name)' in the object",
                    at: location(),
                    reason: "its variables are \(globalNames())",
                    suggestion: "a static variable that the compiler removed cannot be set"))
        }
    }

    private func globalNames() -> String {
        let names = spec.maps.filter { $0.origin != .kconfig }.flatMap { $0.variables.map(\.name) }.sorted()
        return names.isEmpty ? "none" : names.joined(separator: ", ")
    }

    private func linkedMap(_ map: MapSpec, _ contents: [UInt8]?) -> LinkedMap {
        let isFrozen = map.origin != .definition && map.isReadOnly
        var description = MapDescription(describing: map)
        if isFrozen { description.constants = contents ?? [UInt8](repeating: 0, count: map.valueSize) }
        return LinkedMap(
            description: description, contents: contents, variables: map.variables, origin: map.origin,
            unsupported: map.unsupported
                ?? (map.pinning == .byName
                    ? "it is pinned by name, and maps are not shared between objects here" : nil))
    }

    private mutating func override(
        _ map: MapSpec, _ contents: inout [UInt8]?, _ unused: inout Set<String>
    ) throws(OpsError) {
        for variable in map.variables {
            guard let bytes = options.globals[variable.name] else { continue }
            unused.remove(variable.name)
            guard bytes.count == variable.byteCount else {
                try fail(
                    OpsError(
                        "invalid", errno: OpsError.einval,
                        "global variable '\(variable.name)' takes \(variable.byteCount) bytes, got \(bytes.count)",
                        at: location(map: map.name)))
                continue
            }
            var edited = contents ?? [UInt8](repeating: 0, count: map.valueSize)
            // The parser keeps only variables that lie inside their section.
            edited.replaceSubrange(variable.offset..<variable.offset + bytes.count, with: bytes)
            contents = edited
        }
    }

    private mutating func kconfigContents(_ map: MapSpec) throws(OpsError) -> [UInt8] {
        var contents = [UInt8](repeating: 0, count: map.valueSize)
        for extern in spec.externs {
            guard case .kconfig(let type, let offset, let byteCount) = extern.kind else { continue }
            guard let value = options.kconfig[extern.name] else {
                if !extern.isWeak { try fail(missing(extern)) }
                continue
            }
            guard let bytes = encode(value, as: type) else {
                try fail(
                    OpsError(
                        "invalid", errno: OpsError.einval,
                        "extern (kcfg) '\(extern.name)': value \(text(of: value)) does not fit \(type)",
                        at: location(),
                        suggestion:
                            "declare it with the type of its value: bool or enum libbpf_tristate for y and m, an integer for numbers, char[N] for text"
                    ))
                continue
            }
            contents.replaceSubrange(
                offset..<offset + min(byteCount, bytes.count), with: bytes.prefix(byteCount))
        }
        return contents
    }

    /// libbpf knows three `LINUX_*` names and refuses others by this text; configuration it just does not find.
    private func missing(_ extern: ExternSpec) -> OpsError {
        if extern.name.hasPrefix("CONFIG_") {
            return OpsError(
                "unresolved", errno: OpsError.esrch, "extern '\(extern.name)' (strong): not resolved",
                at: location(),
                reason: "\(options.targetName) sets no \(extern.name)",
                suggestion: "declare it __weak, or give its value in the scenario's or the load's kconfig")
        }
        return OpsError(
            "unresolved", errno: OpsError.einval,
            "extern (kcfg) '\(extern.name)': unrecognized virtual extern",
            at: location(),
            reason:
                "known are CONFIG_*, LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE and LINUX_HAS_SYSCALL_WRAPPER",
            suggestion: "declare it __weak")
    }

    private func text(of value: KconfigValue) -> String {
        switch value {
        case .yes: "'y'"
        case .module: "'m'"
        case .no: "'n'"
        case .number(let number): "'\(number)'"
        case .text(let text): "\"\(text)\""
        }
    }
}

/// Little-endian bytes of a configuration value; nil if the type cannot hold it. libbpf: `set_kcfg_value_*`.
private func encode(_ value: KconfigValue, as type: KconfigType) -> [UInt8]? {
    switch (type, value) {
    case (.bool, .yes), (.bool, .number(1)): return [1]
    case (.bool, .no), (.bool, .number(0)): return [0]
    case (.tristate, .no), (.tristate, .number(0)): return [0, 0, 0, 0]
    case (.tristate, .yes), (.tristate, .number(1)): return [1, 0, 0, 0]
    case (.tristate, .module), (.tristate, .number(2)): return [2, 0, 0, 0]
    case (.char, .yes): return [UInt8(ascii: "y")]
    case (.char, .module): return [UInt8(ascii: "m")]
    case (.char, .no): return [UInt8(ascii: "n")]
    case (.char(let isSigned), .number(let number)): return encode(number, byteCount: 1, isSigned: isSigned)
    case (.integer(let byteCount, let isSigned), .number(let number)):
        return encode(number, byteCount: byteCount, isSigned: isSigned)
    case (.text(let byteCount), .text(let text)):
        // Cut, and ended in any case.
        return Array(text.utf8.prefix(byteCount - 1)) + [0]
    default: return nil
    }
}

private func encode(_ number: UInt64, byteCount: Int, isSigned: Bool) -> [UInt8]? {
    if byteCount < 8 {
        let bits = UInt64(byteCount * 8)
        let fits =
            isSigned
            ? Int64(bitPattern: number) >> (bits - 1) == 0 || Int64(bitPattern: number) >> (bits - 1) == -1
            : number >> bits == 0
        guard fits else { return nil }
    }
    return (0..<byteCount).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
}

extension MapDescription {
    /// What the object says of a map.
    fileprivate init(describing map: MapSpec) {
        self.init(
            name: map.name, type: map.type, keySize: map.keySize, valueSize: map.valueSize,
            maxEntries: map.maxEntries, flags: map.flags, valueType: map.valueType, keyType: map.keyType,
            isReadOnly: map.isReadOnly, inner: map.inner.first.map { MapDescription(describing: $0) })
    }
}
