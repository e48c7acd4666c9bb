/// Relocations of code, and calls that the compiler resolved itself: both become `InsnReference`s.
extension ObjectParser {
    mutating func collectReferences() throws(ObjectError) {
        for section in elf.sections {
            guard let functions = functionsOf[section.index] else { continue }
            let relocations = try relocations(for: section)
            var next = relocations.startIndex
            for index in functions {
                try collectReferences(of: index, in: section, relocations, &next)
            }
        }
    }

    private mutating func collectReferences(
        of index: Int, in section: ELFSection, _ relocations: [ELFRelocation], _ next: inout Int
    ) throws(ObjectError) {
        let function = spec.functions[index]
        let start = UInt64(function.sectionOffset)
        let end = start + UInt64(function.insns.count) * 8
        var references: [Int: Reference] = [:]
        // Relocations come sorted; those between functions belong to code that nothing names.
        while next < relocations.endIndex, relocations[next].offset < start { next += 1 }
        while next < relocations.endIndex, relocations[next].offset < end {
            let relocation = relocations[next]
            next += 1
            // Below `end`, so it fits an Int.
            let byte = Int(relocation.offset - start)
            let site = Site(function: function, insn: byte / 8, btf: btf)
            guard byte % 8 == 0, references[site.insn] == nil else {
                throw site.error("a second relocation of one instruction, or one inside it")
            }
            references[site.insn] = try target(of: relocation, at: site)
        }
        try addUnrelocatedCalls(of: function, in: section, to: &references)
        spec.functions[index].references = references.sorted { $0.key < $1.key }
            .map { InsnReference(insn: $0.key, target: $0.value) }
    }

    /// An instruction that a relocation patches, for errors.
    struct Site {
        let function: FunctionSpec
        let insn: Int
        let btf: BTF?

        func error(
            _ text: String, kind: ObjectError.Kind = .malformed, errno: CInt = ObjectErrno.einval,
            reason: String? = nil, suggestion: String? = nil
        ) -> ObjectError {
            let line = function.lines.last { $0.insn <= insn }.map {
                "\(btf?.string(at: $0.file) ?? ""):\($0.line)"
            }
            return ObjectError(
                kind, errno: errno, text, section: function.section, program: function.name, insn: insn,
                reason: reason ?? line, suggestion: suggestion)
        }
    }

    private func target(of relocation: ELFRelocation, at site: Site) throws(ObjectError) -> Reference {
        let symbol = elf.symbols[relocation.symbol]
        let name = try name(of: symbol)
        let insn = site.function.insns[site.insn]
        switch relocation.type {
        case .ldImm64:
            guard insn.isWideLoad, site.insn + 1 < site.function.insns.count else {
                throw site.error(
                    "invalid relo for '\(name)': opcode \(hexByte(insn.opcode)) is not a 64-bit immediate load"
                )
            }
            return try loadTarget(symbol, name, insn, at: site)
        case .call:
            guard insn.isCall else {
                throw site.error("invalid relo for '\(name)': opcode \(hexByte(insn.opcode)) is not a call")
            }
            return try callTarget(symbol, name, insn, at: site)
        default:
            throw site.error(
                "\(relocation.type.name) against '\(name)' in code", kind: .unsupported,
                reason: "code is patched by R_BPF_64_64 and R_BPF_64_32 only")
        }
    }

    private func loadTarget(
        _ symbol: ELFSymbol, _ name: String, _ insn: Instruction, at site: Site
    ) throws(ObjectError) -> Reference {
        if symbol.isUndefined { return try externTarget(name, at: site) }
        guard let section = elf.section(symbol.sectionIndex) else {
            throw site.error(
                "'\(name)' is in no section", reason: "a common or absolute symbol",
                suggestion: "initialise the variable, or compile with -fno-common")
        }
        let (sum, overflow) = Int64(truncatingIfNeeded: symbol.value).addingReportingOverflow(Int64(insn.imm))
        guard !overflow, symbol.value < UInt64(1) << 48, let offset = Int(exactly: sum), offset >= 0 else {
            throw site.error(
                "address \(symbol.value) + \(insn.imm) of '\(name)' is outside section '\(section.name)'")
        }
        if section.isExecutable { return .function(try function(at: offset, of: section, name, site)) }
        if section.name == ".maps" {
            guard let map = definitionAt[Place(section: section.index, offset: offset)] else {
                throw site.error("no map starts at offset \(offset) of '.maps', to which '\(name)' refers")
            }
            return .map(map)
        }
        if let map = dataMap[section.index] {
            guard offset <= Int(Int32.max) else {
                throw site.error("offset \(offset) in '\(section.name)' is too large")
            }
            return .mapValue(map: map, offset: offset)
        }
        throw site.error(
            "bad data relo against section '\(section.name)'", kind: .unsupported,
            reason: structOpsSections.contains(section.name)
                ? "a struct_ops map cannot be used in a program" : "that section does not become a map",
            suggestion: "let '\(name)' live in .data, .rodata or .bss")
    }

    private func callTarget(
        _ symbol: ELFSymbol, _ name: String, _ insn: Instruction, at site: Site
    ) throws(ObjectError) -> Reference {
        if symbol.isUndefined {
            let reference = try externTarget(name, at: site)
            guard case .extern(let index) = reference, case .function = spec.externs[index].kind else {
                throw site.error("a call of '\(name)', which is not declared as a function")
            }
            return reference
        }
        guard insn.src == PseudoCall.subprog else {
            throw site.error("incorrect bpf_call opcode for '\(name)': src_reg \(insn.src), expected 1")
        }
        guard let section = elf.section(symbol.sectionIndex), section.name == ".text", section.isExecutable
        else {
            throw site.error(
                "bad call relo against '\(name)'", kind: .unsupported,
                reason: "only functions of .text can be called, an entry point cannot",
                suggestion: "move the shared code to a function without SEC()")
        }
        let (sum, overflow) = Int64(truncatingIfNeeded: symbol.value)
            .addingReportingOverflow((Int64(insn.imm) + 1) * 8)
        guard !overflow, let offset = Int(exactly: sum) else {
            throw site.error("call of '\(name)' at \(symbol.value) + \(insn.imm)")
        }
        return .function(try function(at: offset, of: section, name, site))
    }

    private func externTarget(_ name: String, at site: Site) throws(ObjectError) -> Reference {
        guard let index = externNamed[name], spec.externs.indices.contains(index) else {
            throw site.error(
                "extern '\(name)' is declared nowhere", kind: .unresolved, errno: ObjectErrno.esrch,
                suggestion: "declare it with __ksym or __kconfig, or define it")
        }
        if case .kconfig(_, let offset, _) = spec.externs[index].kind, let kconfigMap {
            return .mapValue(map: kconfigMap, offset: offset)
        }
        return .extern(index)
    }

    private func function(
        at offset: Int, of section: ELFSection, _ name: String, _ site: Site
    ) throws(ObjectError) -> Int {
        guard let function = functionAt[Place(section: section.index, offset: offset)] else {
            throw site.error(
                "no function starts at offset \(offset) of '\(section.name)', to which '\(name)' refers")
        }
        return function
    }

    /// The compiler resolves calls inside a section itself: the distance stands in `imm`.
    private func addUnrelocatedCalls(
        of function: FunctionSpec, in section: ELFSection, to references: inout [Int: Reference]
    ) throws(ObjectError) {
        var insn = -1
        while insn + 1 < function.insns.count {
            insn += 1
            let instruction = function.insns[insn]
            let isCall = instruction.isCall && instruction.src == PseudoCall.subprog
            let isCallback = instruction.isWideLoad && instruction.src == PseudoLoad.function
            defer { if instruction.isWideLoad { insn += 1 } }
            guard isCall || isCallback, references[insn] == nil else { continue }
            // Offsets are below the file's size and imm is 32 bits wide: no overflow.
            let offset = function.sectionOffset + (insn + 1 + Int(instruction.imm)) * 8
            guard let target = functionAt[Place(section: section.index, offset: offset)] else {
                throw Site(function: function, insn: insn, btf: btf).error(
                    "no function starts at offset \(offset) of '\(section.name)', to which this call leads")
            }
            references[insn] = .function(target)
        }
    }
}
