import Testing

@testable import BPF

@Suite("BTF errors") struct BTFErrorTests {
    /// A damaged copy of a good header, and what is said about it.
    static let headers: [(offset: Int, byte: UInt8, error: BTFError)] = [
        (0, 0, .badMagic(0xeb00)), (2, 9, .badVersion(9)), (4, 8, .badHeaderLength(8)),
        (8, 2, .misaligned(part: "type section", offset: 26)),
    ]

    @Test(arguments: headers) func damagedHeadersAreNamed(offset: Int, byte: UInt8, error: BTFError) throws {
        var bytes = try BTFParsingTests.allKinds().encoded()
        bytes[offset] = byte
        if offset == 8 { bytes[12] &-= 4 }  // keep the moved section inside
        #expect(throws: error) { try BTF(parsing: bytes) }
    }

    @Test func bigEndianIsNamed() {
        #expect(throws: BTFError.bigEndian) {
            try BTF(parsing: [0xeb, 0x9f] + [UInt8](repeating: 0, count: 22))
        }
    }

    @Test func longerHeadersAreAccepted() throws {
        var bytes = try BTFParsingTests.allKinds().encoded()
        bytes[4] = 40
        bytes.insert(contentsOf: [UInt8](repeating: 0x55, count: 16), at: 24)
        #expect(try BTF(parsing: bytes).count == (try BTFParsingTests.allKinds().build()).count)
    }

    @Test func badTypesAreNamed() {
        func error(_ make: (inout BTFBuilder, TypeID) -> Void) -> BTFError? {
            var builder = BTFBuilder()
            make(&builder, builder.int("int", byteCount: 4))
            do throws(BTFError) {
                _ = try builder.build()
                return nil
            } catch { return error }
        }
        let two = TypeID(2)
        #expect(
            error { builder, _ in _ = builder.pointer(to: TypeID(99)) }
                == .danglingReference(from: two, to: TypeID(99), count: 3))
        #expect(
            error { builder, int in _ = builder.structure("s", byteCount: 4, [("a", int, 2)]) }
                == .memberOutside(id: two, member: "a", end: 48, limit: 32))
        #expect(
            error { builder, int in _ = builder.function("f", int) }
                == .wrongReference(from: two, to: TypeID(1), expected: "FUNC_PROTO", actual: "INT"))
        #expect(
            error { builder, _ in _ = builder.add(.float(name: "half", byteCount: 3)) }
                == .badField(id: two, kind: "FLOAT", field: "size", value: 3))
        #expect(
            error { builder, int in _ = builder.typedef("not a name", int) }
                == .badName(id: two, offset: 5, reason: "is no identifier"))
        #expect(
            error { builder, int in _ = builder.add(.declTag(name: "t", of: int, componentIndex: 0)) }
                == .wrongReference(from: two, to: TypeID(1), expected: "a declaration", actual: "INT"))
        #expect(
            error { builder, _ in
                _ = builder.structure("s", byteCount: 4, [("v", .void, 0)])
            } == .wrongReference(from: two, to: .void, expected: "a type with a size", actual: "void"))
        #expect(error { _, _ in } == nil)
    }

    @Test func errorsReadAsSentences() {
        #expect(
            "\(BTFError.memberOutside(id: TypeID(7), member: "rtt", end: 48, limit: 32))"
                == "BTF type [7]: member 'rtt' ends at bit 48, the type at bit 32")
        #expect("\(BTFError.badMagic(0xeb00))" == "BTF magic is 0xeb00, expected 0xeb9f")
    }
}
