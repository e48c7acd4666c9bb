import ControlAPI
import Testing

@Suite("JSON") struct JSONTests {
    @Test(
        "accepts what RFC 8259 allows",
        arguments: [
            ("null", JSONValue.null), (" true ", true), ("-0", .integer(0)),
            ("9223372036854775807", .integer(.max)),
            ("9223372036854775808", .double(9_223_372_036_854_775_808)), ("1e3", 1000.0), ("-2.5E-1", -0.25),
            (#""a\u00e9\n\/\ud83d\ude00""#, "aé\n/😀"), ("[]", []), ("[1,[2],{}]", [1, [2], [:]]),
            (#"{"a":{"b":null},"c":[false]}"#, ["a": ["b": nil], "c": [false]]),
        ] as [(String, JSONValue)])
    func accepts(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == value)
    }

    @Test(
        "refuses everything else, without a trap",
        arguments: [
            ("", JSONError.unexpectedEnd), ("{", .unexpectedEnd), ("[1,]", .unexpectedByte(93, offset: 3)),
            ("01", .badNumber(offset: 0)), ("-", .badNumber(offset: 0)), ("1.", .badNumber(offset: 0)),
            ("1e999", .badNumber(offset: 0)), ("nul", .unexpectedEnd),
            ("nulx", .unexpectedByte(120, offset: 3)),
            ("1 2", .trailingBytes(offset: 2)), (#""\x""#, .badEscape(offset: 1)),
            (#""\ud800""#, .badEscape(offset: 1)), (#""\ud800\u0041""#, .badEscape(offset: 1)),
            (#""\udc00""#, .badEscape(offset: 1)), ("\"\u{1}\"", .controlCharacter(1, offset: 1)),
            (#"{"a":1,"a":2}"#, .duplicateName("a", offset: 7)), ("{1:2}", .unexpectedByte(49, offset: 1)),
            (String(repeating: "[", count: 33), .tooDeep(limit: 32)),
            (String(repeating: "9", count: 65), .badNumber(offset: 0)),
        ] as [(String, JSONError)])
    func rejects(text: String, error: JSONError) {
        #expect(throws: error) { try JSONValue(parsing: text) }
    }

    @Test func rejectsBytesThatAreNotUTF8() {
        #expect(throws: JSONError.notUTF8(offset: 0)) { try JSONValue(parsing: [0x22, 0xC3, 0x28, 0x22]) }
        #expect(throws: JSONError.notUTF8(offset: 0)) {
            try JSONValue(parsing: [0x22, 0x5C, 0x6E, 0xFF, 0x22])
        }
    }

    @Test func boundsTheNumberOfValues() {
        let text = "[" + String(repeating: "1,", count: 10) + "1]"
        #expect(throws: JSONError.tooManyValues(limit: 10)) {
            try JSONValue(parsing: text, limits: JSONLimits(depth: 4, values: 10))
        }
    }

    @Test func writesWhatItReads() throws {
        let value: JSONValue = [
            "text": "a\u{0}\"\\\u{1b}é", "numbers": [0, -1, 0.1, 1e-7, .integer(.min)], "empty": [:],
            "none": nil,
        ]
        #expect(try JSONValue(parsing: value.utf8()) == value)
        #expect(try JSONValue(parsing: value.utf8(indented: true)) == value)
        #expect(!value.utf8().contains(0))
        #expect(JSONValue.double(.infinity).text() == "null")
    }

    @Test func codesTypesThroughTheirWireNames() throws {
        let registration = Registration(
            id: 3, name: "cubic", kernelStructOps: "tcp_congestion_ops", opsName: "bpf_cubic", state: "INUSE",
            refs: 1,
            linkID: nil, objectSha256: "ab")
        #expect(try registration.json.decode(as: Registration.self) == registration)
        let encoded = try JSONValue(encoding: RegistrationsReply([registration]))
        #expect(encoded["registrations"]?.array?.first?["object_sha256"] == "ab")
        #expect(try encoded.decode(as: RegistrationsReply.self).registrations == [registration])
        #expect(JSONValue.wireName("linkID") == "link_id")
        #expect(JSONValue.wireName("bytesXlated") == "bytes_xlated")
    }

    @Test func namesTheMemberThatDoesNotFit() {
        #expect(throws: DecodingError.self) {
            try JSONValue.object([.init("id", -1)]).decode(as: Selector.self)
        }
        #expect(throws: DecodingError.self) { try JSONValue.array([]).decode(as: Selector.self) }
    }
}
