/// `.BTF.ext`: which FUNC a function is, its source lines, its CO-RE records.
extension ObjectParser {
    mutating func collectDebugInfo() throws(ObjectError) {
        guard let btf, let section = elf.section(named: ".BTF.ext"), section.type == ELFSection.programBits
        else {
            return
        }
        let info: BTFExt
        do throws(BTFExtError) {
            info = try BTFExt(parsing: try Self.relocatedExt(section, in: elf), btf: btf)
        } catch {
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval, "BTF.ext cannot be read", section: ".BTF.ext",
                reason: "\(error)", suggestion: "recompile with clang -target bpf -g")
        }
        let index = FunctionIndex(spec.functions)
        for part in info.funcInfo {
            guard let section = index[part.name] else { continue }
            for record in part.records {
                guard let place = section.find(record.insn), place.insn == 0 else { continue }
                spec.functions[place.function].function = record.function
            }
        }
        collectLines(info, index)
        for part in info.coreRelocations {
            guard let section = index[part.name] else { continue }
            for record in part.records {
                guard let place = section.find(record.insn) else { continue }
                var relative = record
                relative.insn = place.insn
                spec.functions[place.function].coreRelocations.append(relative)
            }
        }
    }

    private static func relocatedExt(_ section: ELFSection, in elf: ELFFile) throws(BTFExtError) -> [UInt8] {
        // Bad relocations of `.BTF.ext` cannot make it less valid than its raw bytes, which the parser judges.
        (try? relocated(section, in: elf)) ?? Array(elf.contents(of: section))
    }

    private mutating func collectLines(_ info: BTFExt, _ index: FunctionIndex) {
        for part in info.lineInfo {
            guard let section = index[part.name] else { continue }
            for record in part.records {
                guard let place = section.find(record.insn) else { continue }
                spec.functions[place.function].lines.append(
                    LineSpec(
                        insn: place.insn, file: record.fileOffset, text: record.textOffset, line: record.line,
                        column: record.column))
            }
        }
        for function in spec.functions.indices { spec.functions[function].lines.sort { $0.insn < $1.insn } }
    }
}

/// Finds the function that holds an instruction of an ELF section.
private struct FunctionIndex {
    private var sections: [String: SectionFunctions] = [:]

    init(_ functions: [FunctionSpec]) {
        // Functions come ascending within their section.
        for (index, function) in functions.enumerated() {
            let start = function.sectionOffset / 8
            sections[function.section, default: SectionFunctions()].functions.append(
                (start, start + function.insns.count, index))
        }
    }

    subscript(section: String) -> SectionFunctions? { sections[section] }
}

/// The functions of one ELF section.
private struct SectionFunctions {
    /// Ascending by start, in slots.
    var functions: [(start: Int, end: Int, function: Int)] = []

    /// - Returns: the function and the instruction's index in it.
    func find(_ insn: Int) -> (function: Int, insn: Int)? {
        var (low, high) = (0, functions.count)
        while low < high {
            let middle = (low + high) / 2
            if functions[middle].end <= insn { low = middle + 1 } else { high = middle }
        }
        guard low < functions.count, functions[low].start <= insn else { return nil }
        return (functions[low].function, insn - functions[low].start)
    }
}
