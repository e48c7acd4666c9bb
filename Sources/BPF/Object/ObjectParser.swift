/// Reads an object file as libbpf opens one.
///
/// - Parameters:
///   - bytes: the file. Hostile bytes throw; they never trap, and memory stays within a small multiple of their number.
///   - name: the file's name, for the names of data maps; a path is cut to its last part, up to the first dot.
/// - Throws: `ObjectError`, with the place in the object.
///
/// Source: libbpf `bpf_object_open`; reference behaviour of `struct_ops` sections there.
package func parseObject(_ bytes: [UInt8], name: String) throws(ObjectError) -> ObjectSpec {
    var parser = try ObjectParser(bytes, name: name)
    try parser.refuseLegacySections()
    try parser.collectFunctions()
    try parser.collectMapDefinitions()
    try parser.collectDataSections()
    try parser.collectExterns()
    try parser.collectStructOps()
    try parser.collectDebugInfo()
    try parser.collectReferences()
    return parser.spec
}

/// The state of one parse. Each `collect…` step lives in its own file and adds one part of `spec`.
struct ObjectParser {
    let elf: ELFFile
    let btf: BTF?
    /// Ids of DATASECs by section name.
    let dataSections: [String: BTFDataSection]
    var spec: ObjectSpec

    /// Functions by where they start, for relocations and calls without one.
    var functionAt: [Place: Int] = [:]
    /// Functions by section index, ascending by offset.
    var functionsOf: [Int: [Int]] = [:]
    /// Maps by section: `.maps` variables by their offset; a data section whole, at offset 0.
    var definitionAt: [Place: Int] = [:]
    var dataMap: [Int: Int] = [:]
    var kconfigMap: Int?
    var externNamed: [String: Int] = [:]

    struct Place: Hashable {
        var section: Int
        var offset: Int
    }

    init(_ bytes: [UInt8], name: String) throws(ObjectError) {
        do throws(ELFError) {
            elf = try ELFFile(parsing: bytes)
        } catch {
            throw ObjectError(error)
        }
        guard elf.symbolTable != nil else {
            throw ObjectError(
                .malformed, errno: ObjectErrno.enoent, "couldn't find symbol table, stripped object file?",
                reason: "programs and maps are found through symbols",
                suggestion: "strip with llvm-strip -g, which keeps them")
        }
        btf = try Self.parseTypes(elf)
        var sections: [String: BTFDataSection] = [:]
        for id in btf?.ids(of: .dataSection) ?? [] {
            if case .dataSection(let section) = btf?[id], sections[section.name] == nil {
                sections[section.name] = section
            }
        }
        dataSections = sections
        spec = ObjectSpec(
            name: Self.objectName(name), fileName: Self.fileName(name), btf: btf, license: "", functions: [],
            programs: [], maps: [],
            structOps: [], externs: [], notes: [])
        if let license = elf.section(named: "license") {
            spec.license = String(
                decoding: elf.contents(of: license).prefix { $0 != 0 }.prefix(128), as: UTF8.self)
        }
    }

    private static func fileName(_ path: String) -> String {
        String((path.split(separator: "/").last.map(String.init) ?? path).prefix(255))
    }

    /// `/tmp/cubic.bpf.o` → `cubic`.
    private static func objectName(_ path: String) -> String {
        String(fileName(path).prefix { $0 != "." }.prefix(64))
    }

    /// The `.BTF` section with its own relocations applied, so that offsets in DATASECs are those of the variables.
    private static func parseTypes(_ elf: ELFFile) throws(ObjectError) -> BTF? {
        guard let section = elf.section(named: ".BTF"), section.type == ELFSection.programBits else {
            return nil
        }
        let bytes = try relocated(section, in: elf)
        do {
            return try BTF(parsing: bytes)
        } catch {
            throw ObjectError(
                .malformed, errno: ObjectErrno.einval, "BTF cannot be read", section: ".BTF",
                reason: "\(error)",
                suggestion: "recompile with clang -target bpf -g")
        }
    }

    /// Contents of `.BTF` or `.BTF.ext` after its 4-byte relocations. clang leaves the offset of a global variable
    /// to the relocation and writes that of a static one as addend, so adding is right for both.
    static func relocated(_ section: ELFSection, in elf: ELFFile) throws(ObjectError) -> [UInt8] {
        var bytes = Array(elf.contents(of: section))
        do throws(ELFError) {
            for table in elf.relocationSections(for: section) {
                for relocation in try elf.relocations(in: table) {
                    guard relocation.type == .noDylib32 || relocation.type == .abs32,
                        let offset = Int(exactly: relocation.offset), offset <= bytes.count - 4
                    else { continue }
                    let symbol = elf.symbols[relocation.symbol]
                    var value = UInt32(truncatingIfNeeded: symbol.value)
                    for index in 0..<4 { value &+= UInt32(bytes[offset + index]) << (8 * UInt32(index)) }
                    for index in 0..<4 {
                        bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index)))
                    }
                }
            }
        } catch {
            throw ObjectError(error)
        }
        return bytes
    }

    func refuseLegacySections() throws(ObjectError) {
        if elf.section(named: "maps") != nil {
            throw ObjectError(
                .unsupported, errno: ObjectErrno.enotsup, "legacy map definitions in section 'maps'",
                section: "maps", reason: "libbpf 1.0 and later refuse them too",
                suggestion: "define maps in SEC(\".maps\") with __uint() and __type()")
        }
        for section in elf.sections where section.type == ELFSection.relocationsWithAddend {
            guard let target = elf.section(Int(section.info)), target.isExecutable else { continue }
            throw ObjectError(
                .unsupported, errno: ObjectErrno.enotsup, "relocations of type SHT_RELA",
                section: section.name, reason: "BPF objects have SHT_REL",
                suggestion: "compile with clang -target bpf")
        }
    }

    /// The name of a symbol, its ELF errors translated.
    func name(of symbol: ELFSymbol) throws(ObjectError) -> String {
        do throws(ELFError) { return try elf.name(of: symbol) } catch { throw ObjectError(error) }
    }

    func relocations(for section: ELFSection) throws(ObjectError) -> [ELFRelocation] {
        do throws(ELFError) {
            var all: [ELFRelocation] = []
            for table in elf.relocationSections(for: section) { all += try elf.relocations(in: table) }
            return all
        } catch {
            throw ObjectError(error)
        }
    }

    /// The type of a VAR, its own BTF name with it; nil if `id` is no VAR.
    func variable(_ id: TypeID) -> BTFVariable? {
        guard case .variable(let variable)? = btf?[id] else { return nil }
        return variable
    }
}
