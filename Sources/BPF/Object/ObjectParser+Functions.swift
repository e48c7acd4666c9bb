/// Functions of executable sections.
extension ObjectParser {
    /// Most instructions in one object; far above the verifier's own limit per program.
    private static let insnsMax = 1 << 22

    mutating func collectFunctions() throws(ObjectError) {
        var total = 0
        let symbols = Dictionary(
            grouping: elf.symbols.lazy.filter { $0.kind == .function && $0.byteCount > 0 }, by: \.sectionIndex
        )
        for section in elf.sections
        where section.isExecutable && section.type == ELFSection.programBits && section.byteCount > 0 {
            guard section.byteCount % 8 == 0 else {
                throw ObjectError(
                    .malformed, errno: ObjectErrno.einval,
                    "\(section.byteCount) bytes of code, which is no whole number of 8-byte instructions",
                    section: section.name)
            }
            total += section.fileRange.count / 8
            guard total <= Self.insnsMax else {
                throw ObjectError(
                    .unsupported, errno: ObjectErrno.e2big, "more than \(Self.insnsMax) instructions",
                    section: section.name)
            }
            try collectFunctions(of: section, symbols[section.index] ?? [])
        }
        // As libbpf has it: alone in its object, a function of `.text` is nobody's subprogram.
        if spec.functions.count == 1 { spec.programs = [0] }
    }

    private mutating func collectFunctions(of section: ELFSection, _ symbols: [ELFSymbol]) throws(ObjectError)
    {
        var end: UInt64 = 0
        for symbol in symbols.sorted(by: { ($0.value, $0.index) < ($1.value, $1.index) }) {
            let name = try name(of: symbol)
            let (next, overflow) = symbol.value.addingReportingOverflow(symbol.byteCount)
            guard !overflow, next <= section.byteCount, symbol.value % 8 == 0, symbol.byteCount % 8 == 0
            else {
                throw ObjectError(
                    .malformed, errno: ObjectErrno.einval,
                    "function of \(symbol.byteCount) bytes at offset \(symbol.value) crosses the section's end (\(section.byteCount)) or an instruction",
                    section: section.name, program: name)
            }
            guard symbol.value >= end else {
                throw ObjectError(
                    .malformed, errno: ObjectErrno.einval,
                    "function at offset \(symbol.value) overlaps the one that ends at \(end)",
                    section: section.name, program: name)
            }
            end = next
            try add(symbol, name: name, of: section)
        }
    }

    private mutating func add(_ symbol: ELFSymbol, name: String, of section: ELFSection) throws(ObjectError) {
        let isEntry = section.name != ".text"
        if isEntry, symbol.binding == .local {
            throw ObjectError(
                .unsupported, errno: ObjectErrno.enotsup, "static program is not supported",
                section: section.name, program: name, reason: "an entry point must be a global symbol",
                suggestion: "remove 'static' from its definition")
        }
        // Both lie inside the section, and so inside the file: see the caller.
        let offset = Int(symbol.value)
        let start = section.fileRange.lowerBound + offset
        let isGlobal = symbol.binding != .local && !symbol.isHidden
        let index = spec.functions.count
        spec.functions.append(
            FunctionSpec(
                name: name, section: section.name, sectionOffset: offset,
                insns: Instruction.decode(elf.bytes[start..<start + Int(symbol.byteCount)]), references: [],
                function: btf?.function(named: name)?.id, isGlobal: isGlobal))
        functionAt[Place(section: section.index, offset: offset)] = index
        functionsOf[section.index, default: []].append(index)
        if isEntry { spec.programs.append(index) }
    }
}
