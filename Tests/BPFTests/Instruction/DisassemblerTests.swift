import Foundation
import Testing

@testable import BPF

@Suite("disassemble") struct DisassemblerTests {
    /// llvm-objdump of the toolchain whose clang compiles the objects: the independent disassembler.
    static func objdump() throws -> String {
        let clang = try CompiledObject.run("which", ["clang"]).trimmingCharacters(in: .whitespacesAndNewlines)
        return URL(filePath: clang).resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "llvm-objdump").path
    }

    /// Per section, the listing of llvm-objdump without addresses and symbols: `w1 = 0x0`.
    static func listing(of object: [UInt8]) throws -> [String: [String]] {
        let file = FileManager.default.temporaryDirectory.appending(path: "opsd-test-\(UUID().uuidString).o")
        try Data(object).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let output = try CompiledObject.run(
            try objdump(), ["-d", "--mcpu=v4", "--no-show-raw-insn", file.path])
        var sections: [String: [String]] = [:]
        var section = ""
        for line in output.split(separator: "\n") {
            if line.hasPrefix("Disassembly of section ") {
                section = String(line.dropFirst("Disassembly of section ".count).dropLast())
            } else if !section.isEmpty, let tab = line.firstIndex(of: "\t") {
                sections[section, default: []].append(withoutSymbol(String(line[line.index(after: tab)...])))
            }
        }
        return sections
    }

    /// `goto +0x3 <main+0x20>` → `goto +0x3`.
    private static func withoutSymbol(_ text: String) -> String {
        guard text.hasSuffix(">"), let start = text.range(of: " <", options: .backwards) else { return text }
        return String(text[..<start.lowerBound])
    }

    static func ours(_ object: [UInt8]) throws -> [String: [String]] {
        let elf = try ELFFile(parsing: object)
        var sections: [String: [String]] = [:]
        for section in elf.sections where section.isExecutable && section.byteCount > 0 {
            sections[section.name] = disassemble(Instruction.decode(elf.contents(of: section))).filter {
                !$0.isEmpty
            }
        }
        return sections
    }

    @Test(
        "agrees with llvm-objdump on compiled objects", arguments: ["v1", "v2", "v3", "v4"],
        ["sections.bpf.c", "arithmetic.bpf.c"])
    func agreesOnObjects(cpu: String, source: String) throws {
        let object = try CompiledObject.bytes(of: "Tests/Fixtures/objects/\(source)", cpu: cpu)
        let (expected, got) = (try Self.listing(of: object), try Self.ours(object))
        #expect(expected.keys.sorted() == got.keys.sorted())
        for (section, lines) in expected {
            let other = got[section] ?? []
            #expect(lines.count == other.count, "\(section)")
            for (a, b) in zip(lines, other) { #expect(a == b, "\(section)") }
        }
    }

    @Test("agrees with llvm-objdump on one of every instruction")
    func agreesOnAssembly() throws {
        let object = try CompiledObject.bytes(
            of: "Tests/Fixtures/objects/instructions.s", cpu: "v4", debugInfo: false)
        let lines = try #require(try Self.listing(of: object)[".text"])
        let ours = try #require(try Self.ours(object)[".text"])
        #expect(lines.count > 150)
        #expect(!lines.contains("<unknown>"))
        #expect(ours.count == lines.count)
        for (a, b) in zip(lines, ours) { #expect(a == b) }
    }

    @Test("every slot prints, whatever its bits, and survives coding")
    func printsAnything() {
        var state: UInt64 = 1
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let insn = Instruction(slot: state ^ (state >> 29))
            #expect(!insn.text.isEmpty)
            #expect(Instruction.decode(insn.bytes) == [insn])
        }
    }

    @Test("the second slot of a wide load is an empty line, and a cut-off load is unknown")
    func showsWideLoads() {
        let load = [
            Instruction(opcode: Opcode.loadImm64, dst: 1, imm: 8), Instruction(opcode: 0, imm: 1),
            Instruction(opcode: Opcode.exit),
        ]
        #expect(disassemble(load) == ["r1 = 0x100000008 ll", "", "exit"])
        #expect(disassemble(Array(load.prefix(1))) == ["<unknown>"])
    }

    @Test("names replace numbers")
    func usesNames() {
        let names = DisassemblyNames(
            call: { _, insn in insn.imm == 1 ? "bpf_map_lookup_elem#1" : nil },
            load: { _, insn, _ in insn.src == PseudoLoad.mapFD ? "map[counters]" : nil })
        let insns = [
            Instruction(opcode: Opcode.loadImm64, dst: 1, src: PseudoLoad.mapFD), Instruction(opcode: 0),
            Instruction(opcode: Opcode.call, imm: 1), Instruction(opcode: Opcode.call, imm: 5),
        ]
        #expect(
            disassemble(insns, names: names) == [
                "r1 = map[counters] ll", "", "call bpf_map_lookup_elem#1", "call 0x5",
            ])
    }
}
