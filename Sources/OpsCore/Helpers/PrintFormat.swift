import Glibc

/// The `printf` that programs have: `bpf_trace_printk`, `bpf_trace_vprintk`, `bpf_snprintf`.
///
/// ```
/// % [0 + - space]* [width] ( c | s | p | px pK ps pS pB | pks pus | pi4 pI4 pi6 pI6 | [l|ll] ( d i u x X ) )
/// ```
/// No precision, no `*`. The format itself is printable ASCII and white space.
/// Kernel counterpart: `bpf_bprintf_prepare` (which refuses the same formats) and `bstr_printf`.
struct PrintFormat {
    /// MAX_BPRINTF_VARARGS.
    static let argumentsMax = 12
    /// Longest output; the rest is cut. Kernel: MAX_BPRINTF_BUF.
    static let outputMax = 1024
    private static let stringMax = 512
    private static let widthMax = 512

    /// Answers what addresses in arguments mean.
    struct Memory {
        /// The string there, without its NUL; nil: not readable.
        var string: (_ address: UInt64, _ limit: Int) -> [UInt8]?
        /// That many bytes; nil: not readable.
        var bytes: (_ address: UInt64, _ count: Int) -> [UInt8]?
        /// The address in a form that is the same in every run.
        var stableAddress: (_ address: UInt64) -> UInt64
    }

    private let format: [UInt8]
    private let arguments: [UInt64]
    private let memory: Memory
    private var at = 0
    private var nextArgument = 0
    private var output: [UInt8] = []

    private struct Field {
        var isLeft = false, isZeroPadded = false, showsPlus = false, showsSpace = false
        var width = 0
    }
    private struct Refused: Error { var code: CInt }

    private init(_ format: [UInt8], _ arguments: [UInt64], _ memory: Memory) {
        self.format = format
        self.arguments = arguments
        self.memory = memory
    }

    /// - Parameter format: without its NUL.
    /// - Returns: the whole text, not cut; or an errno: EINVAL for a format that is refused or needs more arguments
    ///   than there are.
    static func render(
        _ format: [UInt8], _ arguments: [UInt64], _ memory: Memory
    ) -> (text: [UInt8], errno: CInt) {
        var printer = PrintFormat(format, arguments, memory)
        do {
            try printer.run()
            return (printer.output, 0)
        } catch {
            return ([], error.code)
        }
    }

    private mutating func run() throws(Refused) {
        while at < format.count {
            let byte = format[at]
            guard isPrintable(byte) || isSpace(byte) else { throw Refused(code: EINVAL) }
            at += 1
            guard byte == UInt8(ascii: "%") else {
                emit([byte])
                continue
            }
            if peek == UInt8(ascii: "%") {
                at += 1
                emit([byte])
            } else {
                try conversion()
            }
        }
    }

    private var peek: UInt8? { at < format.count ? format[at] : nil }

    private mutating func take() throws(Refused) -> UInt8 {
        guard let byte = peek else { throw Refused(code: EINVAL) }
        at += 1
        return byte
    }

    private mutating func argument() throws(Refused) -> UInt64 {
        guard nextArgument < arguments.count else { throw Refused(code: EINVAL) }
        nextArgument += 1
        return arguments[nextArgument - 1]
    }

    private mutating func conversion() throws(Refused) {
        let field = flagsAndWidth()
        let kind = try take()
        switch kind {
        case UInt8(ascii: "c"): pad([UInt8(truncatingIfNeeded: try argument())], field)
        case UInt8(ascii: "s"): string(try argument(), field)
        case UInt8(ascii: "p"): try pointer(field)
        default: try integer(kind, field)
        }
    }

    private mutating func flagsAndWidth() -> Field {
        var field = Field()
        flags: while let byte = peek {
            switch byte {
            case UInt8(ascii: "0"): field.isZeroPadded = true
            case UInt8(ascii: "-"): field.isLeft = true
            case UInt8(ascii: "+"): field.showsPlus = true
            case UInt8(ascii: " "): field.showsSpace = true
            default: break flags
            }
            at += 1
        }
        while let byte = peek, isDigit(byte) {
            field.width = min(Self.widthMax, field.width * 10 + Int(byte - UInt8(ascii: "0")))
            at += 1
        }
        return field
    }

    private mutating func string(_ address: UInt64, _ field: Field) {
        pad(
            memory.string(address, Self.stringMax) ?? Array((address == 0 ? "(null)" : "(fault)").utf8), field
        )
    }

    private mutating func pointer(_ field: Field) throws(Refused) {
        switch peek {
        case UInt8(ascii: "k"), UInt8(ascii: "u"):
            at += 1
            guard try take() == UInt8(ascii: "s") else { throw Refused(code: EINVAL) }
            string(try argument(), field)
        case UInt8(ascii: "i"), UInt8(ascii: "I"): try internetAddress(field)
        case UInt8(ascii: "x"), UInt8(ascii: "K"), UInt8(ascii: "s"), UInt8(ascii: "S"), UInt8(ascii: "B"):
            at += 1
            address(try argument(), field)
        case nil: address(try argument(), field)
        case .some(let byte) where isSpace(byte) || isPunctuation(byte): address(try argument(), field)
        default: throw Refused(code: EINVAL)
        }
    }

    private mutating func address(_ value: UInt64, _ field: Field) {
        var digits = Array(String(memory.stableAddress(value), radix: 16).utf8)
        digits.insert(contentsOf: repeatElement(UInt8(ascii: "0"), count: 16 - digits.count), at: 0)
        pad(digits, field)
    }

    /// `%pI4` 10.0.0.1, `%pi4` 010.000.000.001, `%pI6` with colons, `%pi6` without.
    private mutating func internetAddress(_ field: Field) throws(Refused) {
        let isPlain = try take() == UInt8(ascii: "I")
        let version = try take()
        guard version == UInt8(ascii: "4") || version == UInt8(ascii: "6") else {
            throw Refused(code: EINVAL)
        }
        let count = version == UInt8(ascii: "4") ? 4 : 16
        guard let bytes = memory.bytes(try argument(), count) else {
            return pad(Array("(fault)".utf8), field)
        }
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if count == 4 {
                let digits = String(byte)
                text += index > 0 ? "." : ""
                text += isPlain ? digits : String(repeating: "0", count: 3 - digits.utf8.count) + digits
            } else {
                text += isPlain && index > 0 && index.isMultiple(of: 2) ? ":" : ""
                text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        pad(Array(text.utf8), field)
    }

    private mutating func integer(_ first: UInt8, _ field: Field) throws(Refused) {
        var kind = first
        var isLong = false
        for _ in 0..<2 where kind == UInt8(ascii: "l") {
            isLong = true
            kind = try take()
        }
        let isHex = kind == UInt8(ascii: "x") || kind == UInt8(ascii: "X")
        let isSigned = kind == UInt8(ascii: "d") || kind == UInt8(ascii: "i")
        guard isHex || isSigned || kind == UInt8(ascii: "u") else { throw Refused(code: EINVAL) }
        let raw = try argument()

        let signed = isLong ? Int64(bitPattern: raw) : Int64(Int32(truncatingIfNeeded: raw))
        let unsigned = isLong ? raw : raw & 0xffff_ffff
        let magnitude = isSigned ? signed.magnitude : unsigned
        let digits = String(magnitude, radix: isHex ? 16 : 10, uppercase: kind == UInt8(ascii: "X"))
        var sign = ""
        if isSigned { sign = signed < 0 ? "-" : field.showsPlus ? "+" : field.showsSpace ? " " : "" }
        padNumber(sign: sign, digits: digits, field)
    }

    private mutating func padNumber(sign: String, digits: String, _ field: Field) {
        let missing = field.width - sign.utf8.count - digits.utf8.count
        guard field.isZeroPadded, !field.isLeft, missing > 0 else {
            return pad(Array((sign + digits).utf8), field)
        }
        emit(Array((sign + String(repeating: "0", count: missing) + digits).utf8))
    }

    private mutating func pad(_ text: [UInt8], _ field: Field) {
        let spaces = [UInt8](repeating: UInt8(ascii: " "), count: max(0, field.width - text.count))
        emit(field.isLeft ? text + spaces : spaces + text)
    }

    private mutating func emit(_ bytes: [UInt8]) { output += bytes }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
    private func isPrintable(_ byte: UInt8) -> Bool { (0x20...0x7e).contains(byte) }
    private func isPunctuation(_ byte: UInt8) -> Bool {
        isPrintable(byte) && !isSpace(byte) && !isDigit(byte)
            && !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
