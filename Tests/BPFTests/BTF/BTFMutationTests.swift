import FuzzBodies
import Testing

@testable import BPF

/// splitmix64: the same mutations on every machine.
struct MutationSource: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// A copy with 1 to 4 changes: bits, bytes, words, cuts, and pieces of itself in other places.
    mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
        var copy = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self) where copy.count > 8 {
            let at = Int.random(in: 0..<copy.count - 4, using: &self)
            switch Int.random(in: 0..<7, using: &self) {
            case 0: copy[at] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            case 1: copy[at] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &self) ?? 0
            case 2:
                copy.replaceSubrange(
                    at..<at + 4, with: [0xff, 0xff, 0xff, UInt8.random(in: 0...255, using: &self)])
            case 3: copy.removeLast(Int.random(in: 0..<copy.count - 4, using: &self))
            case 4:
                // Words of a BTF are aligned: small numbers there become other references, sizes, counts.
                let word = at & ~3
                copy.replaceSubrange(
                    word..<word + 4, with: [UInt8.random(in: 0...40, using: &self), 0, 0, 0])
            case 5:
                let from = Int.random(in: 0..<copy.count - 4, using: &self) & ~3
                let to = at & ~3
                let count = min(Int.random(in: 1...8, using: &self) * 4, copy.count - max(from, to))
                copy.replaceSubrange(to..<to + count, with: Array(copy[from..<from + count]))
            default:
                // Another kind or vlen in what may be an info word.
                let word = at & ~3
                copy[word + 3] = UInt8.random(in: 0...20, using: &self)
            }
        }
        return copy
    }
}

@Suite("BTF from hostile bytes") struct BTFMutationTests {
    @Test(.timeLimit(.minutes(30)))
    func mutatedTypesNeverTrap() throws {
        let bytes = try BTFParsingTests.allKinds().encoded()
        var source = MutationSource(seed: 1)
        checkBTFInput(bytes)
        for _ in 0..<4000 { checkBTFInput(source.mutate(bytes)) }
    }

    @Test(.enabled(if: Clang.isPresent, "no clang on PATH"), .timeLimit(.minutes(30)))
    func mutatedCompilerOutputNeverTraps() throws {
        let sections = try Clang.sections(of: BTFHeaderDumpTests.source, flags: ["-Wno-everything"])
        let bytes = try #require(sections[".BTF"])
        let ext = try #require(sections[".BTF.ext"])
        let btf = try BTF(parsing: bytes)
        var source = MutationSource(seed: 2)
        for _ in 0..<500 { checkBTFInput(source.mutate(bytes)) }
        for _ in 0..<2000 { _ = try? BTFExt(parsing: source.mutate(ext), btf: btf) }
    }

    @Test func everyTruncationIsRefused() throws {
        let bytes = try BTFParsingTests.allKinds().encoded()
        for count in 0..<bytes.count {
            #expect(throws: BTFError.self, "\(count) bytes") { try BTF(parsing: Array(bytes[..<count])) }
        }
    }

    @Test func relocationsOfAnythingNeverTrap() {
        var source = MutationSource(seed: 3)
        for _ in 0..<20_000 {
            var bytes = (0..<4).map { _ in UInt8.random(in: 0...255, using: &source) }
            // Half of the opcodes are ones that can be relocated.
            if Bool.random(using: &source) {
                bytes[2] = [0xb7, 0x18, 0x61, 0x79, 0x63, 0x07].randomElement(using: &source) ?? 0
            }
            let depth = Int.random(in: 0..<6, using: &source)
            let numbers = (0..<depth).map { _ in String(Int.random(in: 0..<4, using: &source)) }
            bytes += Array((["0"] + numbers).joined(separator: ":").utf8)
            if Int.random(in: 0..<10, using: &source) == 0 {
                bytes[bytes.count - 1] = UInt8.random(in: 0...255, using: &source)
            }
            checkCOREInput(bytes)
        }
    }

    @Test func whatContainsItselfIsRefused() throws {
        func refuses(_ make: (inout BTFBuilder) -> Void) -> Bool {
            var builder = BTFBuilder()
            make(&builder)
            do {
                _ = try builder.build()
                return false
            } catch BTFError.cycle { return true } catch { return false }
        }
        #expect(refuses { $0.set($0.reserve(), to: .typedef(name: "t", of: TypeID(1))) })
        #expect(refuses { $0.set($0.reserve(), to: .pointer(to: TypeID(1))) })
        #expect(refuses { _ = $0.structure("s", byteCount: 0, [("s", TypeID(1), 0)]) })
        #expect(
            refuses {
                _ = $0.int("int", byteCount: 4)
                _ = $0.array(of: TypeID(3), count: 2, index: TypeID(1))
                _ = $0.structure("s", byteCount: 8, [("a", TypeID(2), 0)])
            })
        #expect(
            refuses {
                _ = $0.prototype(result: TypeID(2), [])
                _ = $0.pointer(to: TypeID(1))
            })
        // Through a pointer a struct may contain itself.
        #expect(
            !refuses {
                _ = $0.structure("s", byteCount: 8, [("s", TypeID(2), 0)])
                _ = $0.pointer(to: TypeID(1))
            })
    }

    @Test func deepNestingIsRefused() throws {
        var builder = BTFBuilder()
        var type = builder.int("int", byteCount: 4)
        for level in 0..<100 { type = builder.structure("s\(level)", byteCount: 4, [("s", type, 0)]) }
        #expect(throws: BTFError.self) { try builder.build() }
    }

    /// 2 to the 40th leaves: only a budget ends this.
    @Test(.timeLimit(.minutes(30))) func exponentialUnfoldingIsCutShort() throws {
        var builder = BTFBuilder()
        let int = builder.int("int", byteCount: 4)
        var type = int
        var function = builder.prototype(result: int, [])
        for _ in 0..<25 {
            type = builder.structure("", byteCount: 4, [("a", type, 0), ("b", type, 0)])
            let pointer = builder.pointer(to: function)
            function = builder.prototype(result: int, [("f", pointer), ("g", pointer)])
        }
        let top = builder.structure("top", byteCount: 4, [("x", type, 0)])
        let btf = try builder.build()
        #expect(btf.name(of: function).count < 100_000)
        #expect(btf.value(of: top, in: [0, 0, 0, 0]) != nil)
        #expect(btf.fields(of: top, at: 0, byteCount: 4).count <= 64)
        #expect(btf.layoutDifference(top, from: top, in: btf) == nil)
        #expect(!btf.declaration(of: top).isEmpty)
    }
}
