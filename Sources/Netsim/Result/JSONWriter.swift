/// Writes JSON whose bytes depend on the values alone: fixed order of members, shortest form of numbers, no white space.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// - Parameter reserving: bytes that are likely to be written, so that the text need not be moved as it grows.
    init(reserving: Int = 0) { bytes.reserveCapacity(reserving) }

    mutating func object(_ body: (inout JSONWriter) -> Void) {
        begin(UInt8(ascii: "{"))
        body(&self)
        end(UInt8(ascii: "}"))
    }

    mutating func array(_ body: (inout JSONWriter) -> Void) {
        begin(UInt8(ascii: "["))
        body(&self)
        end(UInt8(ascii: "]"))
    }

    mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }
    mutating func member(_ name: String, _ value: UInt64) {
        key(name)
        integer(value)
    }
    mutating func member(_ name: String, _ value: Bool) {
        key(name)
        raw(value ? "true" : "false")
    }
    /// - Parameter digits: decimal places kept.
    mutating func member(_ name: String, _ value: Double, digits: Int) {
        key(name)
        number(value, digits: digits)
    }
    mutating func null(_ name: String) {
        key(name)
        raw("null")
    }

    mutating func string(_ value: String) {
        separate()
        quote(value)
        needsComma = true
    }
    mutating func integer<T: BinaryInteger>(_ value: T) { raw(String(value)) }

    /// Rounded to so many places and written without trailing zeros. Not finite: null.
    mutating func number(_ value: Double, digits: Int) {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value * scale).rounded()
        guard scaled.isFinite, abs(scaled) < 9e18 else {
            raw("null")
            return
        }
        let integer = Int64(scaled)
        let divisor = Int64(scale)
        var fraction = String(abs(integer % divisor))
        fraction = String(repeating: "0", count: digits - min(digits, fraction.count)) + fraction
        while fraction.last == "0" { fraction.removeLast() }
        let sign = integer < 0 ? "-" : ""
        let whole = String(abs(integer / divisor))
        raw(sign + whole + (digits == 0 || fraction.isEmpty ? "" : "." + fraction))
    }

    private mutating func raw(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    private mutating func begin(_ byte: UInt8) {
        separate()
        bytes.append(byte)
        needsComma = false
    }
    private mutating func end(_ byte: UInt8) {
        bytes.append(byte)
        needsComma = true
    }
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0..<32:
                let hex = String(byte, radix: 16)
                bytes.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - hex.count) + hex).utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
