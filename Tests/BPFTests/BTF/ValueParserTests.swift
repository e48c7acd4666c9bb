import Testing

@testable import BPF

@Suite("Values from text") struct BTFValueParserTests {
    /// A BTF with one of everything that a variable may be.
    private struct Types {
        let btf: BTF
        let u8, s16, u64, s64, boolean, mode, text, point, pointer, alias, words: TypeID

        init() throws {
            var builder = BTFBuilder()
            u8 = builder.int("u8", byteCount: 1)
            s16 = builder.int("s16", byteCount: 2, isSigned: true)
            u64 = builder.int("u64", byteCount: 8)
            s64 = builder.int("s64", byteCount: 8, isSigned: true)
            boolean = builder.int("bool", byteCount: 1, isBool: true)
            mode = builder.enumeration("mode", [("SLOW", 0), ("FAST", 7)])
            text = builder.array(of: u8, count: 4, index: u64)
            words = builder.array(of: u64, count: 4, index: u64)
            point = builder.structure("point", byteCount: 1, [("x", u8, 0)])
            pointer = builder.pointer(to: u8)
            alias = builder.typedef("limit_t", builder.const(s16))
            btf = try builder.build()
        }
    }

    @Test("texts become the bytes of their type") func accepts() throws {
        let types = try Types()
        let table: [(String, TypeID, [UInt8])] = [
            ("0", types.u8, [0]), ("255", types.u8, [255]), ("0xff", types.u8, [255]),
            ("-32768", types.s16, [0, 0x80]), ("32767", types.alias, [0xff, 0x7f]),
            ("-0x2", types.s16, [0xfe, 0xff]),
            ("18446744073709551615", types.u64, [UInt8](repeating: 255, count: 8)),
            ("-9223372036854775808", types.s64, [0, 0, 0, 0, 0, 0, 0, 0x80]),
            ("true", types.boolean, [1]), ("0", types.boolean, [0]), ("FAST", types.mode, [7, 0, 0, 0]),
            ("3", types.mode, [3, 0, 0, 0]), ("abc", types.text, [97, 98, 99, 0]),
            ("", types.text, [0, 0, 0, 0]),
        ]
        for (text, type, bytes) in table {
            #expect(try types.btf.bytes(of: text, as: type) == bytes, "\(text)")
        }
    }

    @Test("what does not fit is refused") func rejects() throws {
        let types = try Types()
        let table: [(String, TypeID)] = [
            ("256", types.u8), ("-1", types.u8), ("+1", types.u8), ("1.5", types.u8), ("", types.u8),
            ("0x", types.u8),
            ("32768", types.s16), ("-32769", types.s16), ("9223372036854775808", types.s64),
            ("-9223372036854775809", types.s64), ("2", types.boolean), ("QUICK", types.mode),
            ("abcd", types.text),
            ("1", types.point), ("1", types.pointer), ("1", types.words),
        ]
        for (text, type) in table {
            #expect(throws: BTFValueParseError.self, "\(text)") { try types.btf.bytes(of: text, as: type) }
        }
    }
}
