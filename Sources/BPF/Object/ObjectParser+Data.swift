/// Data sections: each becomes an array map of one value, in which global variables lie.
extension ObjectParser {
    /// libbpf's and the kernel's answer to more is E2BIG too, though much later.
    private static let dataBytesMax: UInt64 = 64 << 20

    mutating func collectDataSections() throws(ObjectError) {
        var total: UInt64 = 0
        for section in elf.sections where section.index > 0 {
            guard let kind = DataKind(section) else {
                noteUnknown(section)
                continue
            }
            // An empty section has nothing to refer to; clang emits them.
            guard section.byteCount > 0 else { continue }
            guard section.byteCount <= Self.dataBytesMax - total else {
                throw ObjectError(
                    .unsupported, errno: ObjectErrno.e2big,
                    "\(section.byteCount) bytes make more than \(Self.dataBytesMax) bytes of data in the object",
                    section: section.name)
            }
            total += section.byteCount
            dataMap[section.index] = spec.maps.count
            spec.maps.append(dataMap(section, kind))
            noteRelocations(of: section)
        }
    }

    private enum DataKind {
        case writable, readOnly, zero

        init?(_ section: ELFSection) {
            func named(_ prefix: String) -> Bool {
                section.name == prefix || section.name.hasPrefix(prefix + ".")
            }
            switch section.type {
            case ELFSection.programBits where named(".data"): self = .writable
            case ELFSection.programBits where named(".rodata"): self = .readOnly
            case ELFSection.noBits where named(".bss"): self = .zero
            default: return nil
            }
        }
    }

    private func dataMap(_ section: ELFSection, _ kind: DataKind) -> MapSpec {
        var map = MapSpec(name: dataMapName(section.name), origin: .data(section: section.name), type: .array)
        map.keySize = 4
        map.valueSize = Int(section.byteCount)
        map.maxEntries = 1
        map.flags = kind == .readOnly ? MapFlags.readOnlyForPrograms : 0
        map.contents = kind == .zero ? nil : Array(elf.contents(of: section))
        if let description = dataSections[section.name] {
            map.valueType = btf?.ids(named: section.name).first { id in
                if case .dataSection? = btf?[id] { true } else { false }
            }
            map.variables = description.entries.compactMap { entry in
                guard let variable = variable(entry.variable), entry.offset >= 0, entry.byteCount >= 0,
                    entry.offset <= map.valueSize - min(entry.byteCount, map.valueSize),
                    entry.byteCount <= map.valueSize
                else { return nil }
                return VariableSpec(
                    name: variable.name, type: variable.type, offset: entry.offset,
                    byteCount: entry.byteCount,
                    isGlobal: variable.linkage != .static)
            }
            .sorted { $0.offset < $1.offset }
        }
        // As in libbpf: only what user space could name is worth mapping.
        if map.variables.contains(where: \.isGlobal) { map.flags |= MapFlags.mmapable }
        return map
    }

    /// `cubic` + `.rodata` → `cubic.rodata`, at most 15 bytes as in the kernel; sections named by the author keep theirs.
    /// libbpf: `internal_map_name`, which keeps at least 7 bytes for the section.
    func dataMapName(_ section: String) -> String {
        guard [".data", ".rodata", ".bss", ".kconfig"].contains(section) else { return section }
        return String(decoding: spec.name.utf8.prefix(15 - max(7, section.utf8.count)), as: UTF8.self)
            + section
    }

    /// libbpf leaves such pointers zero and says so at info level.
    private mutating func noteRelocations(of section: ELFSection) {
        for table in elf.relocationSections(for: section) where table.fileRange.count > 0 {
            spec.notes.append(
                "elf: skipping relo section(\(table.index)) \(table.name) for section(\(section.index)) \(section.name): addresses stored there stay zero"
            )
        }
    }

    private mutating func noteUnknown(_ section: ELFSection) {
        guard section.type == ELFSection.programBits || section.type == ELFSection.noBits,
            section.byteCount > 0, !section.isExecutable, !Self.isKnown(section.name)
        else { return }
        spec.notes.append("elf: skipping unrecognized data section(\(section.index)) \(section.name)")
    }

    private static func isKnown(_ name: String) -> Bool {
        ["license", "version", ".maps", ".BTF", ".BTF.ext", ".eh_frame", ".comment"].contains(name)
            || name.hasPrefix(".debug_") || name.hasPrefix(".note") || structOpsSections.contains(name)
    }
}
