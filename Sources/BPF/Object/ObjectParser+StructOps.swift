let structOpsSections: Set<String> = [".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link"]

/// Variables of `.struct_ops` sections and the programs that their initialisers name.
extension ObjectParser {
    mutating func collectStructOps() throws(ObjectError) {
        for section in elf.sections
        where structOpsSections.contains(section.name) && section.type == ELFSection.programBits
            && section.byteCount > 0
        {
            let first = spec.structOps.count
            let offsets = try collectVariables(of: section)
            for relocation in try relocations(for: section) {
                try apply(relocation, section, first: first, offsets: offsets)
            }
        }
    }

    /// - Returns: the offset in the section of each variable added.
    private mutating func collectVariables(of section: ELFSection) throws(ObjectError) -> [Int] {
        guard let btf, let description = dataSections[section.name] else {
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval,
                "struct_ops variables need BTF, and there is no DATASEC for them",
                section: section.name, suggestion: "compile with clang -target bpf -g")
        }
        var offsets: [Int] = []
        for entry in description.entries.sorted(by: { $0.offset < $1.offset }) {
            guard let variable = variable(entry.variable) else {
                throw ObjectError(
                    .malformed, errno: ObjectErrno.einval,
                    "DATASEC entry \(entry.variable.rawValue) is no variable",
                    section: section.name)
            }
            func error(_ text: String, _ errno: CInt = ObjectErrno.einval, _ suggestion: String? = nil)
                -> ObjectError
            {
                ObjectError(
                    errno == ObjectErrno.enotsup ? .unsupported : .malformed, errno: errno, text,
                    section: section.name, map: variable.name, suggestion: suggestion)
            }
            let type = btf.resolve(variable.type)
            guard case .composite(let structure) = btf[type], !structure.isUnion else {
                throw error("its type is \(btf.kindName(of: type)), expected a struct")
            }
            guard !structure.name.isEmpty else {
                throw error(
                    "its struct is anonymous", ObjectErrno.enotsup, "name the struct as the subsystem does")
            }
            let range = elf.contents(of: section)
            guard entry.offset >= 0, structure.byteCount > 0, structure.byteCount <= range.count,
                entry.offset <= range.count - structure.byteCount
            else {
                throw error(
                    "\(structure.byteCount) bytes at offset \(entry.offset) are beyond the section's \(range.count)"
                )
            }
            guard entry.offset >= (offsets.last ?? 0) + (offsets.isEmpty ? 0 : 1) else {
                throw error("a second variable at offset \(entry.offset)")
            }
            let start = range.startIndex + entry.offset
            offsets.append(entry.offset)
            spec.structOps.append(
                StructOpsSpec(
                    name: variable.name, section: section.name, type: type, typeName: structure.name,
                    bytes: Array(range[start..<start + structure.byteCount]), programs: []))
        }
        return offsets
    }

    private mutating func apply(
        _ relocation: ELFRelocation, _ section: ELFSection, first: Int, offsets: [Int]
    ) throws(ObjectError) {
        guard let offset = Int(exactly: relocation.offset),
            let position = offsets.lastIndex(where: { $0 <= offset }),
            offset - offsets[position] < spec.structOps[first + position].bytes.count
        else {
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval,
                "struct_ops reloc: cannot find a variable at offset \(relocation.offset)",
                section: section.name)
        }
        let index = first + position
        let memberOffset = offset - offsets[position]
        let member = try functionPointer(at: memberOffset, of: spec.structOps[index])
        let function = try program(of: relocation, for: spec.structOps[index], member)
        spec.structOps[index].programs.removeAll { $0.byteOffset == memberOffset }
        spec.structOps[index].programs.append(
            StructOpsProgram(member: member, byteOffset: memberOffset, function: function))
    }

    /// Name of the function pointer member at a byte offset.
    private func functionPointer(at offset: Int, of map: StructOpsSpec) throws(ObjectError) -> String {
        guard let btf, case .composite(let structure) = btf[map.type],
            let member = structure.members.first(where: { $0.bitOffset == offset * 8 && $0.bitFieldSize == 0 }
            )
        else {
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval,
                "struct_ops reloc: cannot find member at moff \(offset) of struct \(map.typeName)",
                section: map.section, map: map.name)
        }
        guard let pointee = btf.pointee(of: member.type), case .prototype = btf[pointee] else {
            throw ObjectError(
                .unsupported, errno: ObjectErrno.einval,
                "struct_ops reloc: cannot relocate non func ptr \(member.name)", section: map.section,
                map: map.name, member: member.name,
                reason:
                    "\(map.typeName).\(member.name) is \(btf.kindName(of: member.type)), and only programs have addresses here",
                suggestion: "leave the member zero")
        }
        return member.name
    }

    private func program(
        of relocation: ELFRelocation, for map: StructOpsSpec, _ member: String
    ) throws(ObjectError) -> Int {
        let symbol = elf.symbols[relocation.symbol]
        let symbolName = try name(of: symbol)
        func error(_ text: String, _ suggestion: String?) -> ObjectError {
            ObjectError(
                .unsupported, errno: ObjectErrno.einval, "struct_ops reloc: \(text)", section: map.section,
                map: map.name, member: member, suggestion: suggestion)
        }
        guard elf.section(symbol.sectionIndex) != nil else {
            throw error(
                "'\(symbolName)' is an unsupported non-static function",
                "define '\(symbolName)' in this object, in SEC(\"struct_ops\")")
        }
        guard let offset = Int(exactly: symbol.value),
            let function = functionAt[Place(section: symbol.sectionIndex, offset: offset)]
        else {
            throw error(
                "cannot find the program '\(symbolName)'", "only functions can fill a function pointer")
        }
        guard spec.functions[function].isStructOps else {
            throw error(
                "prog '\(spec.functions[function].name)' in section '\(spec.functions[function].section)' is not struct_ops BPF program",
                "put it in SEC(\"struct_ops/\(member)\")")
        }
        return function
    }
}
