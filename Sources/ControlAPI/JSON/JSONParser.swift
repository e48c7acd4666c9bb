import Glibc

/// What a JSON text may cost: hostile nesting would end in stack overflow, hostile breadth in memory.
package struct JSONLimits: Sendable {
    /// Arrays and objects inside each other.
    package var depth: Int
    /// Values in all, each costing some 50 bytes when parsed.
    package var values: Int

    package init(depth: Int, values: Int) {
        self.depth = depth
        self.values = values
    }

    /// A request: an object file is one string, all else is small.
    package static let request = JSONLimits(depth: 32, values: 100_000)
    /// A reply, which we or our own daemon made: whole maps and long series.
    package static let reply = JSONLimits(depth: 64, values: 50_000_000)
}

package enum JSONError: Error, Equatable, Sendable {
    case unexpectedEnd
    case unexpectedByte(UInt8, offset: Int)
    case badEscape(offset: Int)
    case badNumber(offset: Int)
    case notUTF8(offset: Int)
    case controlCharacter(UInt8, offset: Int)
    case duplicateName(String, offset: Int)
    case tooDeep(limit: Int)
    case tooManyValues(limit: Int)
    case trailingBytes(offset: Int)
}

extension JSONError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unexpectedEnd: "the text ends in the middle of a value"
        case .unexpectedByte(let byte, let offset):
            "unexpected byte 0x\(String(byte, radix: 16)) at offset \(offset)"
        case .badEscape(let offset): "bad escape in a string at offset \(offset)"
        case .badNumber(let offset): "bad number at offset \(offset)"
        case .notUTF8(let offset): "the string at offset \(offset) is not UTF-8"
        case .controlCharacter(let byte, let offset):
            "control character 0x\(String(byte, radix: 16)) in a string at offset \(offset)"
        case .duplicateName(let name, let offset):
            "member '\(name)' is given twice, again at offset \(offset)"
        case .tooDeep(let limit): "more than \(limit) arrays and objects inside each other"
        case .tooManyValues(let limit): "more than \(limit) values"
        case .trailingBytes(let offset): "bytes after the value, at offset \(offset)"
        }
    }
}

extension JSONValue {
    /// Parses exactly one value, with nothing but white space around it. Strict: RFC 8259 and unique member names.
    package init(parsing bytes: [UInt8], limits: JSONLimits = .request) throws(JSONError) {
        var parser = JSONParser(bytes: bytes, limits: limits)
        self = try parser.parseDocument()
    }

    package init(parsing text: String, limits: JSONLimits = .request) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }

    /// The same, but a string of at least `byteCountMin` that is the member `name` of the member `parent` of the whole is
    /// left where it lies: in the value it is empty.
    ///
    /// - Returns: where it lies in `bytes`, between its quotes; nil if there is none. What stands there has not been looked
    ///   at: nobody knows whether it is the text of a string until all of it is known to be letters.
    package static func parse(
        _ bytes: [UInt8], leaving name: String, of parent: String, byteCountMin: Int,
        limits: JSONLimits = .request
    ) throws(JSONError) -> (value: JSONValue, text: Range<Int>?) {
        var parser = JSONParser(bytes: bytes, limits: limits)
        parser.left = JSONParser.LeftText(name: name, parent: parent, byteCountMin: byteCountMin)
        let value = try parser.parseDocument()
        return (value, parser.left?.range)
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    let limits: JSONLimits
    var offset = 0
    var depth = 0
    var values = 0
    /// A string that is not copied.
    var left: LeftText?

    struct LeftText {
        let name: String
        let parent: String
        let byteCountMin: Int
        /// The member of the whole that is being parsed is `parent`.
        var isInParent = false
        var range: Range<Int>?
    }

    init(bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func parseDocument() throws(JSONError) -> JSONValue {
        let value = try parseValue()
        skipSpace()
        guard offset == bytes.count else { throw .trailingBytes(offset: offset) }
        return value
    }

    private mutating func parseValue() throws(JSONError) -> JSONValue {
        values += 1
        guard values <= limits.values else { throw .tooManyValues(limit: limits.values) }
        skipSpace()
        switch try peek() {
        case UInt8(ascii: "{"): return try parseObject()
        case UInt8(ascii: "["): return try parseArray()
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        default: return try parseNumber()
        }
    }

    private mutating func parseObject() throws(JSONError) -> JSONValue {
        try enter()
        var members: [JSONValue.Member] = []
        var seen: Set<String> = []
        if try !skip(UInt8(ascii: "}")) {
            repeat {
                skipSpace()
                let start = offset
                let name = try parseString()
                guard seen.insert(name).inserted else { throw .duplicateName(name, offset: start) }
                try expect(UInt8(ascii: ":"))
                let value = leaves(name) && leaveString() ? .string("") : try parseValue()
                members.append(.init(name, value))
            } while try skip(UInt8(ascii: ","))
            try expect(UInt8(ascii: "}"))
        }
        depth -= 1
        return .object(members)
    }

    private mutating func parseArray() throws(JSONError) -> JSONValue {
        try enter()
        var elements: [JSONValue] = []
        if try !skip(UInt8(ascii: "]")) {
            repeat { elements.append(try parseValue()) } while try skip(UInt8(ascii: ","))
            try expect(UInt8(ascii: "]"))
        }
        depth -= 1
        return .array(elements)
    }

    private mutating func enter() throws(JSONError) {
        depth += 1
        guard depth <= limits.depth else { throw .tooDeep(limit: limits.depth) }
        offset += 1
    }

    private mutating func parseString() throws(JSONError) -> String {
        guard try peek() == UInt8(ascii: "\"") else { throw unexpected() }
        let start = offset
        offset += 1
        // Nearly every string has no escape (an object in base64 never does): one scan, one copy.
        let first = offset
        while offset < bytes.count, bytes[offset] != UInt8(ascii: "\""), bytes[offset] != UInt8(ascii: "\\") {
            let plain = bytes.withUnsafeBufferPointer { PlainText.byteCount(in: $0, from: offset) }
            offset += plain
            guard plain == 0 else { continue }
            guard bytes[offset] >= 0x20 else { throw .controlCharacter(bytes[offset], offset: offset) }
            offset += 1
        }
        guard offset < bytes.count else { throw .unexpectedEnd }
        if bytes[offset] == UInt8(ascii: "\"") {
            defer { offset += 1 }
            guard let text = String(validating: bytes[first..<offset], as: UTF8.self) else {
                throw .notUTF8(offset: start)
            }
            return text
        }
        return try parseEscapedString(from: first, start: start)
    }

    /// Whether the value of the member `name`, which comes next, is the one to leave.
    private mutating func leaves(_ name: String) -> Bool {
        guard let left else { return false }
        if depth == 1 { self.left?.isInParent = name == left.parent }
        return depth == 2 && left.isInParent && name == left.name
    }

    /// Passes over a long string, up to the next quote.
    private mutating func leaveString() -> Bool {
        skipSpace()
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { return false }
        let start = offset + 1
        let byteCount = bytes.withUnsafeBytes { bytes -> Int? in
            let text = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let base = text.baseAddress, let quote = memchr(base, CInt(UInt8(ascii: "\"")), text.count)
            else { return nil }
            return base.distance(to: UnsafeRawPointer(quote))
        }
        guard let byteCount, let left, byteCount >= left.byteCountMin else { return false }
        self.left?.range = start..<start + byteCount
        offset = start + byteCount + 1
        values += 1
        return true
    }

    private mutating func parseEscapedString(from first: Int, start: Int) throws(JSONError) -> String {
        var text = Array(bytes[first..<offset])
        while true {
            let byte = try peek()
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw .notUTF8(offset: start)
                }
                return string
            case UInt8(ascii: "\\"):
                try parseEscape(into: &text)
            case 0..<0x20:
                throw .controlCharacter(byte, offset: offset)
            default:
                text.append(byte)
                offset += 1
            }
        }
    }

    private mutating func parseEscape(into text: inout [UInt8]) throws(JSONError) {
        let start = offset
        offset += 1
        let letter = try peek()
        offset += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try parseHex4(start)
            if (0xD800..<0xDC00).contains(code) {
                // A character beyond the basic plane comes as two escapes (RFC 8259, section 7).
                guard try peek() == UInt8(ascii: "\\") else { throw .badEscape(offset: start) }
                offset += 1
                guard try peek() == UInt8(ascii: "u") else { throw .badEscape(offset: start) }
                offset += 1
                let low = try parseHex4(start)
                guard (0xDC00..<0xE000).contains(low) else { throw .badEscape(offset: start) }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw .badEscape(offset: start) }
            text.append(contentsOf: String(Character(scalar)).utf8)
        default: throw .badEscape(offset: start)
        }
    }

    private mutating func parseHex4(_ start: Int) throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            let byte = try peek()
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw .badEscape(offset: start)
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }

    private mutating func parseNumber() throws(JSONError) -> JSONValue {
        let start = offset
        if try peek() == UInt8(ascii: "-") { offset += 1 }
        let integerPart = countDigits()
        guard integerPart > 0 else {
            if offset == start { throw unexpected() }
            throw .badNumber(offset: start)
        }
        // "01" is no number.
        guard integerPart == 1 || bytes[offset - integerPart] != UInt8(ascii: "0") else {
            throw .badNumber(offset: start)
        }
        var isInteger = true
        if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
            isInteger = false
            offset += 1
            guard countDigits() > 0 else { throw .badNumber(offset: start) }
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            offset += 1
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-")
            {
                offset += 1
            }
            guard countDigits() > 0 else { throw .badNumber(offset: start) }
        }
        // `Double` reads any length; a number of megabytes is an attack, not a number.
        guard offset - start <= 64 else { throw .badNumber(offset: start) }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isInteger, let number = Int64(text) { return .integer(number) }
        guard let number = Double(text), number.isFinite else { throw .badNumber(offset: start) }
        return .double(number)
    }

    private mutating func countDigits() -> Int {
        let start = offset
        while offset < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[offset]) {
            offset += 1
        }
        return offset - start
    }

    private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for expected in word.description.utf8 {
            guard try peek() == expected else { throw unexpected() }
            offset += 1
        }
        return value
    }

    private mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default: return
            }
        }
    }

    /// Skips white space, then `byte` if it comes next.
    private mutating func skip(_ byte: UInt8) throws(JSONError) -> Bool {
        skipSpace()
        guard try peek() == byte else { return false }
        offset += 1
        return true
    }

    private mutating func expect(_ byte: UInt8) throws(JSONError) {
        guard try skip(byte) else { throw unexpected() }
    }

    private func peek() throws(JSONError) -> UInt8 {
        guard offset < bytes.count else { throw .unexpectedEnd }
        return bytes[offset]
    }

    private func unexpected() -> JSONError {
        offset < bytes.count ? .unexpectedByte(bytes[offset], offset: offset) : .unexpectedEnd
    }
}
