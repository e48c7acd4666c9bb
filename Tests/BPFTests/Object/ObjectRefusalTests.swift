import Testing

@testable import BPF

/// Objects that compile but are refused, by name, as libbpf refuses them.
@Suite("parseObject refusals") struct ObjectRefusalTests {
    struct Refusal: CustomTestStringConvertible, Sendable {
        var name: String
        var source: String
        var errno: CInt
        /// Must all occur in the error's description.
        var says: [String]
        var testDescription: String { name }

        init(_ name: String, _ errno: CInt, _ says: [String], _ source: String) {
            self.name = name
            self.source = source
            self.errno = errno
            self.says = says
        }
    }

    static let types = "struct ops { int flags; void (*run)(void *); int *data; };\n"

    static let refusals = [
        Refusal(
            "legacy maps", ObjectErrno.enotsup, ["section 'maps'", "legacy map definitions"],
            "int m SEC(\"maps\");"),
        Refusal(
            "static program", ObjectErrno.enotsup, ["prog 'run'", "static program is not supported"],
            "SEC(\"struct_ops\") static int run(void *p) { return 0; }"),
        Refusal(
            "extern without a section", ObjectErrno.esrch, ["extern 'elsewhere' has no BTF"],
            "extern int elsewhere(int); SEC(\"struct_ops\") int run(void *p) { return elsewhere(1); }"),
        Refusal(
            "call of an entry point", ObjectErrno.einval, ["prog 'run'", "bad call relo against 'other'"],
            """
            SEC("struct_ops/b") __noinline int other(int x) { asm volatile("" : "+r"(x)); return x; }
            SEC("struct_ops/a") int run(void *p) { return other(1) + 1; }
            """),
        Refusal(
            "reference to a struct_ops map", ObjectErrno.einval,
            ["bad data relo against section '.struct_ops'", "cannot be used in a program"],
            types + """
                extern struct ops ops;
                SEC("struct_ops") int run(void *p) { return ops.flags; }
                SEC(".struct_ops") struct ops ops = {.run = (void *)run};
                """),
        Refusal(
            "configuration of a struct type", ObjectErrno.enotsup, ["extern 'CONFIG_X' is STRUCT"],
            """
            struct pair { int a, b; }; extern struct pair CONFIG_X __kconfig;
            SEC("struct_ops") int run(void *p) { return CONFIG_X.b; }
            """),
        Refusal(
            "struct_ops of an anonymous struct", ObjectErrno.enotsup, ["map 'ops'", "anonymous"],
            """
            SEC("struct_ops") int run(void *p) { return 0; }
            SEC(".struct_ops") struct { void *run; } ops = {.run = (void *)run};
            """),
        Refusal(
            "struct_ops that is no struct", ObjectErrno.einval, ["map 'ops'", "INT, expected a struct"],
            "SEC(\".struct_ops\") int ops = 1;"),
        Refusal(
            "address in a data member", ObjectErrno.einval,
            ["member 'data'", "cannot relocate non func ptr data"],
            types + "int x; SEC(\".struct_ops\") struct ops ops = {.data = &x};"),
        Refusal(
            "function outside struct_ops sections", ObjectErrno.einval,
            ["member 'run'", "prog 'plain' in section 'tc' is not struct_ops BPF program"],
            types + """
                SEC("tc") int plain(void *p) { return 0; }
                SEC(".struct_ops") struct ops ops = {.run = (void *)plain};
                """),
        Refusal(
            "map without a type", ObjectErrno.einval, ["map 'm'", "map type isn't specified"],
            "struct { __uint(max_entries, 1); } m SEC(\".maps\");"),
        Refusal(
            "unknown map field", ObjectErrno.enotsup, ["map 'm'", "unknown field 'colour'"],
            "struct { __uint(type, 2); __uint(colour, 1); } m SEC(\".maps\");"),
        Refusal(
            "conflicting sizes", ObjectErrno.einval, ["map 'm'", "conflicting value sizes 8 and 4"],
            "struct { __uint(type, 2); __type(value, __u64); __uint(value_size, 4); } m SEC(\".maps\");"),
        Refusal(
            "map that is no struct", ObjectErrno.einval, ["map 'm'", "expected a struct"],
            "int m SEC(\".maps\");"),
        Refusal(
            "unknown pinning", ObjectErrno.einval, ["map 'm'", "pinning 7"],
            "struct { __uint(type, 2); __uint(pinning, 7); } m SEC(\".maps\");"),
    ]

    @Test("are by name", arguments: refusals)
    func refuses(_ refusal: Refusal) throws {
        let bytes = try CompiledObject.bytes(compiling: refusal.source)
        do {
            _ = try parseObject(bytes, name: "refused.o")
            Issue.record("was accepted")
        } catch {
            #expect(error.errno == refusal.errno, "\(error)")
            for text in refusal.says { #expect("\(error)".contains(text), "\(error)") }
        }
    }

    @Test("maps need BTF")
    func refusesMapsWithoutBTF() throws {
        let bytes = try CompiledObject.bytes(
            compiling: "struct { __uint(type, 2); } m SEC(\".maps\");", debugInfo: false)
        #expect(throws: ObjectError.self) { try parseObject(bytes, name: "x.o") }
    }

    @Test("a stripped file says so")
    func refusesStripped() throws {
        var bytes = try CompiledObject.bytes(of: "Tests/Fixtures/objects/arithmetic.bpf.c")
        let elf = try ELFFile(parsing: bytes)
        let index = try #require(elf.symbolTable)
        bytes[Int(ELFReader(bytes: bytes).u64(40)) + index * 64 + 4] = 1
        do {
            _ = try parseObject(bytes, name: "x.o")
            Issue.record("was accepted")
        } catch {
            #expect(error.errno == ObjectErrno.enoent)
            #expect("\(error)".contains("couldn't find symbol table"))
        }
    }

    @Test("what is left out is noted")
    func notesSkipped() throws {
        let bytes = try CompiledObject.bytes(
            compiling: """
                int kept SEC("mine") = 5; int *pointer = &kept;
                SEC("struct_ops") int run(void *p) { return pointer != 0; }
                """)
        let object = try parseObject(bytes, name: "noted.o")
        #expect(
            object.notes.contains {
                $0.hasPrefix("elf: skipping unrecognized data section") && $0.hasSuffix("mine")
            })
        #expect(
            object.notes.contains { $0.hasPrefix("elf: skipping relo section") && $0.contains(".rel.data") })
    }

    @Test("maps of maps are read, and named as not built")
    func namesInnerMaps() throws {
        let bytes = try CompiledObject.bytes(
            compiling: """
                struct inner { __uint(type, 2); __type(key, int); __type(value, int); __uint(max_entries, 1); };
                struct { __uint(type, 12); __type(key, int); __uint(max_entries, 2);
                         __typeof__(struct inner) *values[]; } outer SEC(".maps");
                """)
        let object = try parseObject(bytes, name: "outer.o")
        #expect(object.maps.first?.unsupported?.contains("map of maps") == true)
    }
}
