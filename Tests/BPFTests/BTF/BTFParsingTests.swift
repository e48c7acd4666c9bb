import Testing

@testable import BPF

@Suite("BTF parsing") struct BTFParsingTests {
    /// One type of each of the 19 kinds.
    static func allKinds() -> BTFBuilder {
        var builder = BTFBuilder()
        let int = builder.int("int", byteCount: 4, isSigned: true)  // 1
        let char = builder.add(
            .int(BTFInt(name: "char", byteCount: 1, bitCount: 8, isSigned: true, isChar: true)))
        let array = builder.array(of: char, count: 16, index: int)
        let structure = builder.reserve()
        let pointer = builder.pointer(to: structure)
        builder.set(
            structure,
            to: .composite(
                BTFComposite(
                    name: "node", isUnion: false, byteCount: 40,
                    members: [
                        BTFMember(name: "next", type: pointer, bitOffset: 0),
                        BTFMember(name: "name", type: array, bitOffset: 64),
                        BTFMember(name: "low", type: int, bitOffset: 192, bitFieldSize: 3),
                        BTFMember(name: "high", type: int, bitOffset: 195, bitFieldSize: 13),
                    ])))
        _ = builder.union("either", byteCount: 8, [("p", pointer), ("i", int)])
        _ = builder.enumeration("sign", [("MINUS", -1), ("PLUS", 1)])
        _ = builder.add(.forward(name: "elsewhere", isUnion: true))
        let alias = builder.typedef("node_t", structure)
        let volatile = builder.add(.volatile(of: int))
        let const = builder.const(volatile)
        _ = builder.add(.restrict(of: pointer))
        let prototype = builder.prototype(result: int, [("n", pointer), ("c", const)], isVariadic: true)
        let function = builder.function("visit", prototype)
        let variable = builder.add(.variable(BTFVariable(name: "root", type: alias, linkage: .global)))
        _ = builder.add(
            .dataSection(
                BTFDataSection(
                    name: ".data", byteCount: 40,
                    entries: [.init(variable: variable, offset: 0, byteCount: 40)])))
        _ = builder.add(.float(name: "double", byteCount: 8))
        _ = builder.add(.declTag(name: "arg:nullable", of: function, componentIndex: 0))
        _ = builder.add(.typeTag(name: "kptr", of: structure))
        _ = builder.enumeration("wide", byteCount: 8, [("BIG", .max), ("SMALL", 1)])
        return builder
    }

    @Test func everyKindSurvivesEncodingAndParsing() throws {
        let btf = try Self.allKinds().build()
        #expect(Set(btf.types.compactMap(\.kind)) == Set(BTFKind.allCases))
        var again = BTFBuilder()
        for type in btf.types.dropFirst() { _ = again.add(type) }
        #expect(try again.build().types == btf.types)
        #expect(try BTF(parsing: btf.encoded()).types == btf.types)
    }

    @Test func typesAreFoundByName() throws {
        let btf = try Self.allKinds().build()
        #expect(btf.composite(named: "node")?.type.byteCount == 40)
        #expect(btf.function(named: "visit")?.type.linkage == .global)
        #expect(btf.ids(named: "nothing").isEmpty)
        #expect(btf.ids(named: "").isEmpty)
        #expect(btf.byteCount(of: btf.ids(named: "root")[0]) == 40)
    }

    @Test func splitBTFContinuesItsBase() throws {
        let base = try Self.allKinds().build()
        var builder = BTFBuilder(base: base)
        let node = try #require(base.composite(named: "node"))
        let own = builder.structure("pair", byteCount: 80, [("a", node.id, 0), ("b", node.id, 40)])
        _ = builder.structure("node", byteCount: 0, [])
        let split = try builder.build()
        #expect(own.index == base.count)
        #expect(split.ids(named: "node").count == 2)
        #expect(split[node.id] == base[node.id])
        guard case .composite(let pair) = split[own] else { return #expect(Bool(false)) }
        #expect(pair.name == "pair" && pair.members.map(\.name) == ["a", "b"])
    }

    @Test(.enabled(if: RunningKernel.bytes != nil, "the running kernel has no BTF"))
    func parsesTheRunningKernel() throws {
        let btf = try BTF(parsing: #require(RunningKernel.bytes))
        #expect(btf.composite(named: "task_struct") != nil)
        #expect(btf.composite(named: "tcp_sock") != nil)
        #expect(btf.function(named: "tcp_reno_ssthresh") != nil)
    }

    @Test(.enabled(if: Clang.isPresent, "no clang on PATH"))
    func parsesWhatClangWrites() throws {
        let btf = try Clang.btf(
            of:
                "struct s { int a : 3; unsigned b : 29; struct s *next; } g; int f(struct s *p) { return p->a; }"
        )
        let type = try #require(btf.composite(named: "s")).type
        #expect(type.members.map(\.bitFieldSize) == [3, 29, 0])
        #expect(type.members.map(\.bitOffset) == [0, 3, 64])
    }
}
