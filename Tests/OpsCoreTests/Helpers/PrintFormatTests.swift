import Glibc
import Testing

@testable import OpsCore

@Suite("Print format") struct PrintFormatTests {
    /// Address 0x1000 holds a string, 0x2000 bytes 1…16; everything else is unreadable.
    static var memory: PrintFormat.Memory {
        PrintFormat.Memory(
            string: { address, limit in address == 0x1000 ? Array("cubic".utf8.prefix(limit)) : nil },
            bytes: { address, count in
                address == 0x2000 ? (1...16).map { UInt8($0) }.prefix(count).map { $0 } : nil
            },
            stableAddress: { $0 >= 0x10_0000 ? $0 - 0x10_0000 : $0 })
    }

    struct Sample: Sendable, CustomTestStringConvertible {
        var format: String
        var arguments: [UInt64]
        var text: String
        init(_ format: String, _ arguments: [UInt64], _ text: String) {
            self.format = format
            self.arguments = arguments
            self.text = text
        }
        var testDescription: String { format }
    }

    static let minusOne = UInt64.max
    static let accepted: [Sample] = [
        Sample("plain", [], "plain"),
        Sample("100%%", [], "100%"),
        Sample("%d %i %u", [minusOne, 5, minusOne], "-1 5 4294967295"),
        Sample("%ld %lld %llu", [minusOne, minusOne, minusOne], "-1 -1 18446744073709551615"),
        Sample("%x %X %lx", [255, 255, minusOne], "ff FF ffffffffffffffff"),
        Sample("[%5d|%-5d|%05d|%+d|% d]", [42, 42, 42, 42, 42], "[   42|42   |00042|+42| 42]"),
        Sample("%05d", [UInt64(bitPattern: -42)], "-0042"),
        Sample("%d", [0x1_0000_0007], "7"),
        Sample("%c%c", [0x41, 0x1_42], "AB"),
        Sample("<%s>", [0x1000], "<cubic>"),
        Sample("<%8s|%-8s>", [0x1000, 0x1000], "<   cubic|cubic   >"),
        Sample("<%s> <%s>", [0x9999, 0], "<(fault)> <(null)>"),
        Sample("%pks", [0x1000], "cubic"),
        Sample("%p %px", [0x10_00ff, 0x10], "00000000000000ff 0000000000000010"),
        Sample("%p.", [0], "0000000000000000."),
        Sample("%pI4 %pi4", [0x2000, 0x2000], "1.2.3.4 001.002.003.004"),
        Sample("%pI6", [0x2000], "0102:0304:0506:0708:090a:0b0c:0d0e:0f10"),
        Sample("%pI4", [1], "(fault)"),
        Sample("a\tb\n", [], "a\tb\n"),
        Sample("%3000d", [1], String(repeating: " ", count: 511) + "1"),
    ]

    @Test("prints", arguments: accepted)
    func prints(_ sample: Sample) {
        let (text, code) = PrintFormat.render(Array(sample.format.utf8), sample.arguments, Self.memory)
        #expect(code == 0)
        #expect(String(decoding: text, as: UTF8.self) == sample.text)
    }

    @Test(
        "refuses",
        arguments: [
            "%", "%d", "%5", "%l", "%ll", "%lld", "%lll", "%n", "%f", "%.3d", "%*d", "%o", "%hd", "%pq",
            "%pI", "%pI5",
            "%pk", "%pkx", "é", "\u{1}", "%z", "%ls",
        ])
    func refuses(_ format: String) {
        #expect(PrintFormat.render(Array(format.utf8), [], Self.memory).errno == EINVAL)
    }

    @Test("random formats never trap, and give an answer or EINVAL")
    func random() {
        let alphabet = Array("%%%%dluxXscpkIi4650 -+.\nab".utf8)
        var state: UInt64 = 1
        for _ in 0..<20_000 {
            let format = (0..<SplitMix64.next(&state) % 16).map { _ in
                alphabet[Int(SplitMix64.next(&state) % UInt64(alphabet.count))]
            }
            let arguments = [0x1000, SplitMix64.next(&state), 0x2000, SplitMix64.next(&state)]
            let (text, code) = PrintFormat.render(format, arguments, Self.memory)
            #expect(code == 0 || (code == EINVAL && text.isEmpty))
        }
    }
}
