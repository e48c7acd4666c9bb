let structOpsSections: Set<String> = [".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link"]

/// Variables of `.struct_ops` sections and the programs that their initialisers name.
extension ObjectParser {
    /// Far above what any kernel type has; keeps hostile ones cheap.
    private static let variablesMax = 1024
    private static let membersMax = 1024

    /// What relocations need to know about one variable.
    struct Initialiser {
        /// In the section.
        var offset: Int
        /// Index into `spec.structOps`.
        var variable: Int
        /// Names of members by byte offset in the struct, and whether each is a function pointer.
        var members: [Int: (name: String, isFunction: Bool, kind: String)]
    }

    mutating func collectStructOps() throws(ObjectError) {
        for section in elf.sections
        where structOpsSections.contains(section.name) && section.type == ELFSection.programBits
            && section.byteCount > 0
        {
            let initialisers = try collectVariables(of: section)
            // Both ascend, so that each variable is met once.
            var position = 0
            for relocation in try relocations(for: section) {
                while position + 1 < initialisers.count,
                    UInt64(initialisers[position + 1].offset) <= relocation.offset
                {
                    position += 1
                }
                try apply(relocation, section, initialisers.isEmpty ? nil : initialisers[position])
            }
        }
    }

    /// - Returns: the variables added, ascending by offset.
    private mutating func collectVariables(of section: ELFSection) throws(ObjectError) -> [Initialiser] {
        guard let btf, let description = dataSections[section.name] else {
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval,
                "struct_ops variables need BTF, and there is no DATASEC for them",
                section: section.name, suggestion: "compile with clang -target bpf -g")
        }
        var initialisers: [Initialiser] = []
        var end = 0
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
            guard entry.offset >= end else {
                throw error("it overlaps the variable that ends at offset \(end)")
            }
            guard spec.structOps.count < Self.variablesMax, structure.members.count <= Self.membersMax else {
                throw error(
                    "more than \(Self.variablesMax) variables or \(Self.membersMax) members",
                    ObjectErrno.enotsup)
            }
            end = entry.offset + structure.byteCount
            initialisers.append(
                Initialiser(
                    offset: entry.offset, variable: spec.structOps.count, members: members(of: structure, btf)
                ))
            let start = range.startIndex + entry.offset
            spec.structOps.append(
                StructOpsSpec(
                    name: variable.name, section: section.name, id: entry.variable, type: type,
                    typeName: structure.name,
                    bytes: Array(range[start..<start + structure.byteCount]), programs: []))
        }
        return initialisers
    }

    private func members(
        of structure: BTFComposite, _ btf: BTF
    ) -> [Int: (name: String, isFunction: Bool, kind: String)] {
        var members: [Int: (name: String, isFunction: Bool, kind: String)] = [:]
        for member in structure.members where member.bitFieldSize == 0 && member.bitOffset % 8 == 0 {
            var isFunction = false
            if let pointee = btf.pointee(of: member.type), case .prototype = btf[pointee] {
                isFunction = true
            }
            if members[member.bitOffset / 8] == nil {
                members[member.bitOffset / 8] = (member.name, isFunction, btf.kindName(of: member.type))
            }
        }
        return members
    }

    private mutating func apply(
        _ relocation: ELFRelocation, _ section: ELFSection, _ initialiser: Initialiser?
    ) throws(ObjectError) {
        guard let initialiser, let offset = Int(exactly: relocation.offset), offset >= initialiser.offset,
            offset - initialiser.offset < spec.structOps[initialiser.variable].bytes.count
        else {
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval,
                "struct_ops reloc: cannot find a variable at offset \(relocation.offset)",
                section: section.name)
        }
        let map = spec.structOps[initialiser.variable]
        let memberOffset = offset - initialiser.offset
        let member = try functionPointer(at: memberOffset, of: map, initialiser)
        let function = try program(of: relocation, for: map, member)
        guard map.programs.last?.byteOffset != memberOffset else {
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval, "struct_ops reloc: member is relocated twice",
                section: map.section, map: map.name, member: member)
        }
        spec.structOps[initialiser.variable].programs.append(
            StructOpsProgram(member: member, byteOffset: memberOffset, function: function))
    }

    /// Name of the function pointer member at a byte offset.
    private func functionPointer(
        at offset: Int, of map: StructOpsSpec, _ initialiser: Initialiser
    ) throws(ObjectError) -> String {
        guard let member = initialiser.members[offset] else {
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval,
                "struct_ops reloc: cannot find member at moff \(offset) of struct \(map.typeName)",
                section: map.section, map: map.name)
        }
        guard member.isFunction, offset <= map.bytes.count - 8 else {
            throw ObjectError(
                .unsupported, errno: ObjectErrno.einval,
                "struct_ops reloc: cannot relocate non func ptr \(member.name)", section: map.section,
                map: map.name, member: member.name,
                reason:
                    "\(map.typeName).\(member.name) is \(member.kind), and only programs have addresses here",
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
