extension JSONValue {
    /// The value as text: on one line, or indented by two spaces a level.
    ///
    /// Doubles are written in Swift's shortest form that reads back to the same bits; what JSON cannot express
    /// (infinity, NaN) becomes null.
    package func text(indented: Bool = false) -> String {
        String(decoding: utf8(indented: indented), as: UTF8.self)
    }

    package func utf8(indented: Bool = false) -> [UInt8] {
        var writer = JSONWriter(isIndented: indented)
        writer.bytes.reserveCapacity(textByteCount)
        writer.write(self)
        return writer.bytes
    }

    /// The value as one frame, its NUL included. (JSON text never holds a NUL: the writer escapes it.)
    package var frame: [UInt8] {
        var writer = JSONWriter(isIndented: false)
        writer.bytes.reserveCapacity(textByteCount + 1)
        writer.write(self)
        writer.bytes.append(0)
        return writer.bytes
    }

    /// About as much as its text takes: exact for the long strings, which matter.
    private var textByteCount: Int {
        switch self {
        case .null, .bool, .integer, .double: 16
        case .string(let text): text.utf8.count + 2
        case .array(let elements): elements.reduce(2) { $0 + $1.textByteCount + 1 }
        case .object(let members):
            members.reduce(2) { $0 + $1.name.utf8.count + $1.value.textByteCount + 4 }
        }
    }
}

private struct JSONWriter {
    let isIndented: Bool
    var bytes: [UInt8] = []
    private var level = 0

    init(isIndented: Bool) {
        self.isIndented = isIndented
    }

    mutating func write(_ value: JSONValue) {
        switch value {
        case .null: put("null")
        case .bool(let flag): put(flag ? "true" : "false")
        case .integer(let number): bytes.append(contentsOf: String(number).utf8)
        case .double(let number):
            bytes.append(contentsOf: (number.isFinite ? number.description : "null").utf8)
        case .string(let text): writeString(text)
        case .array(let elements):
            writeList("[", "]", count: elements.count) { writer, index in writer.write(elements[index]) }
        case .object(let members):
            writeList("{", "}", count: members.count) { writer, index in
                writer.writeString(members[index].name)
                writer.put(writer.isIndented ? ": " : ":")
                writer.write(members[index].value)
            }
        }
    }

    private mutating func writeList(
        _ open: StaticString, _ close: StaticString, count: Int, _ item: (inout JSONWriter, Int) -> Void
    ) {
        put(open)
        guard count > 0 else { return put(close) }
        level += 1
        for index in 0..<count {
            if index > 0 { put(",") }
            newLine()
            item(&self, index)
        }
        level -= 1
        newLine()
        put(close)
    }

    private mutating func newLine() {
        guard isIndented else { return }
        bytes.append(0x0A)
        bytes.append(contentsOf: repeatElement(0x20, count: 2 * level))
    }

    private mutating func writeString(_ text: String) {
        var text = text
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { utf8 in
            var offset = 0
            while true {
                let plain = PlainText.byteCount(in: utf8, from: offset)
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[offset..<offset + plain]))
                offset += plain
                guard offset < utf8.count else { break }
                writeEscape(of: utf8[offset])
                offset += 1
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func writeEscape(of byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case 0x0A: put("\\n")
        case 0x0D: put("\\r")
        case 0x09: put("\\t")
        default:
            // A NUL would end the frame early; the others upset terminals.
            let hex = String(byte, radix: 16)
            bytes.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - hex.count) + hex).utf8)
        }
    }

    private mutating func put(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }
}
