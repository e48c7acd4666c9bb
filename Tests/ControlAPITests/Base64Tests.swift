import CShim
import ControlAPI
import Foundation
import Testing

@Suite("Base64") struct Base64Tests {
    @Test func readsWhatFoundationWrites() {
        for count in 0..<200 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            let text = Data(bytes).base64EncodedString()
            #expect(Base64.decode(text) == bytes, "\(count) bytes")
            #expect(Base64.decode(text, bulk: Self.bulk) == bytes, "\(count) bytes")
        }
    }

    private static var bulk: Base64.Bulk { { ops_base64_decode($0, $1, $2) } }

    @Test func refusesWhatIsNoLetterAnywhereInALongText() {
        let letters = [UInt8](repeating: UInt8(ascii: "k"), count: 128)
        for place in letters.indices {
            for wrong: UInt8 in [0x00, 0x2a, 0x2c, 0x2d, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7f] {
                var text = letters
                text[place] = wrong
                #expect(Base64.decode(String(decoding: text, as: UTF8.self), bulk: Self.bulk) == nil)
            }
        }
    }

    @Test(
        "refuses what RFC 4648 does",
        arguments: [
            "A", "AA", "AAA", "AAAAA", "=", "====", "A===", "AA=A", "AAA=AAAA", "AB==", "AAB=", "AA-A",
            "AA_A",
            "AAA ", "AA\nA", "AAA\u{e9}", "AAAA\n",
        ])
    func refuses(text: String) { #expect(Base64.decode(text) == nil) }

    /// Strings are looked at 16 bytes at a time: what needs a look may stand anywhere.
    @Test func jsonStringsKeepEveryCharacterAtEveryPlace() throws {
        for special in ["\"", "\\", "\n", "\u{1}", "\u{7f}", "é", "\u{1f600}"] {
            for before in 0..<40 {
                let text = String(repeating: "a", count: before) + special + String(repeating: "b", count: 20)
                let json = JSONValue.string(text)
                #expect(try JSONValue(parsing: json.utf8()) == json)
            }
        }
        for before in 0..<40 {
            let control = "\"" + String(repeating: "a", count: before) + "\u{2}aaaaaaaaaaaaaaaa\""
            #expect(throws: JSONError.controlCharacter(2, offset: before + 1)) {
                try JSONValue(parsing: control)
            }
        }
    }
}
