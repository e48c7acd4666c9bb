import Testing

@testable import BPF

@Suite("parseObject") struct ObjectParserTests {
    static let sections = Result { try CompiledObject.bytes(of: "Tests/Fixtures/objects/sections.bpf.c") }
    let object: ObjectSpec

    init() throws { object = try parseObject(Self.sections.get(), name: "/some/where/sections.bpf.o") }

    private func function(_ name: String) throws -> FunctionSpec {
        try #require(object.functions.first { $0.name == name })
    }

    @Test("entry points are the functions outside .text, subprogs those inside")
    func collectsFunctions() throws {
        #expect(object.name == "sections")
        #expect(object.license == "Dual MIT/GPL")
        #expect(object.isGPLCompatible)
        #expect(
            object.programs.map { object.functions[$0].name }
                == ["sections_init", "sections_ssthresh", "sections_sleepable"])
        let sleepable = try function("sections_sleepable")
        #expect(sleepable.isOptional && sleepable.isSleepable && sleepable.isStructOps)
        #expect(try function("tripled").isGlobal)
        #expect(try !function("scaled").isGlobal)
        #expect(try function("scaled").section == ".text")
        #expect(try function("scaled").function != nil)
    }

    @Test("maps keep what their definitions say")
    func collectsMaps() throws {
        #expect(
            object.maps.map(\.name) == [
                "counters", "storage", "sections.data", "sections.rodata", "sections.bss", ".rodata.str1.1",
                "section.kconfig",
            ])
        let counters = object.maps[0]
        #expect(counters.type == .array)
        #expect((counters.keySize, counters.valueSize, counters.maxEntries) == (4, 8, 4))
        let storage = object.maps[1]
        #expect(storage.type == .skStorage)
        #expect((storage.flags, storage.maxEntries) == (1, 0))
    }

    @Test("data sections become maps with their variables")
    func collectsData() throws {
        let data = object.maps[2]
        #expect(data.contents == [5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0])
        #expect(data.variables.map(\.name) == ["limit", "step"])
        #expect(data.variables.map(\.offset) == [0, 8])
        let rodata = object.maps[3]
        #expect(rodata.isReadOnly && rodata.contents == [7, 0, 0, 0])
        #expect(object.maps[4].contents == nil && object.maps[4].valueSize == 8)
        #expect(object.maps[5].contents.map { String(decoding: $0, as: UTF8.self) } == "turn %d\0")
    }

    @Test("externs get libbpf's order and layout")
    func collectsExterns() throws {
        #expect(
            object.externs.map(\.name)
                == ["CONFIG_HZ", "CONFIG_TCP_CONG_CUBIC", "no_such_kfunc", "tcp_reno_ssthresh"])
        #expect(
            object.externs[0].kind
                == .kconfig(.integer(byteCount: 4, isSigned: true), offset: 0, byteCount: 4))
        #expect(object.externs[1].kind == .kconfig(.bool, offset: 4, byteCount: 1))
        #expect(object.externs.map(\.isWeak) == [false, true, true, false])
        #expect(object.maps[6].valueSize == 5)
    }

    @Test("struct_ops variables carry value, kind and programs")
    func collectsStructOps() throws {
        #expect(object.structOps.map(\.name) == ["first", "linked", "optional"])
        #expect(object.structOps.map(\.isLink) == [false, true, true])
        #expect(object.structOps.map(\.autocreate) == [true, true, false])
        let first = object.structOps[0]
        #expect(first.typeName == "tcp_congestion_ops")
        #expect(first.bytes.count == 40)
        #expect(first.bytes[16] == 2)
        #expect(first.programs.map(\.member) == ["ssthresh", "init"])
        #expect(
            first.programs.map { object.functions[$0.function].name } == [
                "sections_ssthresh", "sections_init",
            ])
    }

    @Test("every operand that the loader fills in has a reference")
    func collectsReferences() throws {
        let initialise = try function("sections_init")
        let targets = initialise.references.map(\.target)
        let subprogs = targets.compactMap { target -> String? in
            if case .function(let index) = target { object.functions[index].name } else { nil }
        }
        #expect(Set(subprogs) == ["unused_by_ssthresh", "on_turn"])
        #expect(targets.contains(.map(0)))
        #expect(targets.contains(.mapValue(map: 6, offset: 0)))
        #expect(targets.contains(.mapValue(map: 6, offset: 4)))
        #expect(targets.contains(.mapValue(map: 4, offset: 0)))
        #expect(targets.filter { $0 == .extern(2) }.count == 2)
        // A call inside .text has no relocation: the compiler wrote the distance.
        let tripled = try function("tripled")
        #expect(
            tripled.references.contains { reference in
                if case .function(let index) = reference.target {
                    object.functions[index].name == "scaled"
                } else {
                    false
                }
            })
        #expect(
            try function("scaled").references.map(\.target) == [
                .mapValue(map: 3, offset: 0), .mapValue(map: 2, offset: 8),
            ])
    }

    @Test("functions know their FUNC and their lines")
    func collectsDebugInfo() throws {
        let btf = try #require(object.btf)
        for function in object.functions {
            let id = try #require(function.function)
            #expect(btf[id].name == function.name)
            let first = try #require(function.lines.first, "\(function.name)")
            #expect(first.insn == 0 && btf.string(at: first.file).hasSuffix("sections.bpf.c"))
            #expect(function.lines.allSatisfy { $0.insn < function.insns.count })
        }
        #expect(btf.string(at: try function("tripled").lines[0].text).contains("int tripled(int value)"))
    }
}
