import Testing

@testable import BPF

/// A program compiled against one set of types, to be relocated to another.
struct CORESample {
    let local: BTF
    let target: BTF
    let ext: BTFExt
    let insns: [String: [Instruction]]

    static let builtins = """
        #define CORE __attribute__((preserve_access_index))
        #define FIELD(f, kind) __builtin_preserve_field_info(f, kind)
        #define TYPE(t, kind) __builtin_preserve_type_info(*(typeof(t) *)0, kind)
        #define ENUM(t, v, kind) __builtin_preserve_enum_value(*(typeof(t) *)v, kind)
        #define TYPE_ID(t, kind) __builtin_btf_type_id(*(typeof(t) *)0, kind)
        typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
        #define SEC(n) __attribute__((section(n), used))

        """

    /// - Parameter target: only types; they are kept by a function that takes pointers to them.
    init(local source: String, target types: String, keep: String) throws {
        let sections = try Clang.sections(of: Self.builtins + source)
        local = try BTF(parsing: #require(sections[".BTF"]))
        ext = try BTFExt(parsing: #require(sections[".BTF.ext"]), btf: local)
        target = try Clang.btf(of: Self.builtins + types + "\n" + keep)
        var insns: [String: [Instruction]] = [:]
        for section in ext.funcInfo { insns[section.name] = Self.decode(sections[section.name] ?? []) }
        self.insns = insns
    }

    static func decode(_ bytes: [UInt8]) -> [Instruction] {
        stride(from: 0, to: bytes.count - 7, by: 8).map { at in
            let imm = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[at + 4 + $1]) << (8 * UInt32($1)) }
            return Instruction(
                opcode: bytes[at], dst: bytes[at + 1] & 0xf, src: bytes[at + 1] >> 4,
                offset: Int16(bitPattern: UInt16(bytes[at + 2]) | UInt16(bytes[at + 3]) << 8),
                imm: Int32(bitPattern: imm))
        }
    }

    /// Every relocation as `kind subject`, with what it comes to.
    func resolveAll() throws -> [String: COREResolution] {
        var resolver = COREResolver(local: local, target: target)
        var all: [String: COREResolution] = [:]
        for relocation in ext.coreRelocations.flatMap(\.records) {
            let subject =
                relocation.kind == .typeIDLocal ? "" : " " + (try resolver.subject(of: relocation))
            all[relocation.kind.name + subject] = try resolver.resolve(relocation)
        }
        return all
    }

    /// The section with its relocations applied.
    func apply(_ section: String) throws -> (insns: [Instruction], outcome: COREOutcome) {
        var resolver = COREResolver(local: local, target: target)
        var patched = try #require(insns[section])
        let records = ext.coreRelocations.first { $0.name == section }?.records ?? []
        let outcome = try resolver.apply(records, to: &patched)
        return (patched, outcome)
    }
}

extension COREResolution {
    var number: Int? {
        guard case .value(let value) = self else { return nil }
        return Int(Int64(bitPattern: value.value))
    }
    var sentence: String? {
        guard case .poison(let text) = self else { return nil }
        return text
    }
}
