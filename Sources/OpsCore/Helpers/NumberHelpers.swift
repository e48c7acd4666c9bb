import CShim
import Glibc

extension HelperTable {
    /// `bpf_strtol` and `bpf_strtoul`.
    mutating func registerNumbers() {
        unsafe register(105, "strtol") { text, size, flags, target, _, _ in
            unsafe parse(text, size, flags, into: target) { number, isNegative in
                // One more negative number than positive ones; -0 is 0.
                guard number <= UInt64(Int64.max) + (isNegative ? 1 : 0) else { return .failure(ERANGE) }
                return .success(isNegative ? 0 &- number : number)
            }
        }
        unsafe register(106, "strtoul") { text, size, flags, target, _, _ in
            unsafe parse(text, size, flags, into: target) { number, isNegative in
                isNegative ? .failure(EINVAL) : .success(number)
            }
        }
    }
}

/// BPF_STRTOX_BASE_MASK.
private let baseMask: UInt64 = 0x1f
/// Digits beyond these characters after the sign are not looked at.
private let digitsMax = 63

private enum Parsed {
    case success(UInt64)
    case failure(CInt)
}

/// Reads a number and stores it, or 0 after an error.
///
/// - Parameter convert: gives the bits to store, or an errno.
/// - Returns: characters consumed, white space and sign included; -EINVAL, -ERANGE.
@unsafe private func parse(
    _ text: UInt64, _ size: UInt64, _ flags: UInt64, into target: UInt64,
    _ convert: (_ number: UInt64, _ isNegative: Bool) -> Parsed
) -> UInt64 {
    guard let target = unsafe pointer(target) else { return HelperAnswer.error(EINVAL) }
    // SAFETY: the verifier proved 8 bytes at `target` and `size` bytes at `text`.
    unsafe target.storeBytes(of: 0, as: UInt64.self)
    guard let start = unsafe pointer(text) else { return HelperAnswer.error(EINVAL) }
    var reader = unsafe NumberReader(
        UnsafeRawBufferPointer(start: start, count: Int(size & 0xffff_ffff)), base: flags & baseMask)
    guard flags & ~baseMask == 0 else { return HelperAnswer.error(EINVAL) }
    switch reader.read() {
    case .failure(let code): return HelperAnswer.error(code)
    case .success(let number):
        switch convert(number, reader.isNegative) {
        case .failure(let code): return HelperAnswer.error(code)
        case .success(let bits):
            unsafe target.storeBytes(of: bits, as: UInt64.self)
            return UInt64(reader.consumed)
        }
    }
}

/// The number at the start of a text: white space, `-`, `0x` or `0` where the base allows, digits.
/// Kernel counterpart: `__bpf_strtoull`, `_parse_integer`.
@safe private struct NumberReader {
    /// Good for `count` bytes, by the word of whoever made this.
    private let text: UnsafeRawBufferPointer
    private let count: Int
    private var base: UInt64
    private(set) var consumed = 0
    private(set) var isNegative = false

    @unsafe init(_ text: UnsafeRawBufferPointer, base: UInt64) {
        unsafe self.text = unsafe text
        count = text.count
        self.base = base
    }

    /// The character at `offset` from where we are; 0 behind the end.
    private func peek(_ offset: Int = 0) -> UInt8 {
        let at = consumed + offset
        // SAFETY: at < count.
        return at < count ? unsafe text[at] : 0
    }

    mutating func read() -> Parsed {
        guard [0, 8, 10, 16].contains(base) else { return .failure(EINVAL) }
        while isSpace(peek()) { consumed += 1 }
        if peek() == UInt8(ascii: "-") {
            isNegative = true
            consumed += 1
        }
        let end = min(count, consumed + digitsMax)
        takePrefix()
        let first = consumed
        var number: UInt64 = 0
        var overflowed = false
        while consumed < end, let digit = digit(peek()), digit < base {
            let (product, high) = number.multipliedReportingOverflow(by: base)
            let (sum, carry) = product.addingReportingOverflow(digit)
            overflowed = overflowed || high || carry
            number = sum
            consumed += 1
        }
        guard consumed > first else { return .failure(EINVAL) }
        return overflowed ? .failure(ERANGE) : .success(number)
    }

    private mutating func takePrefix() {
        let isHex = peek() == UInt8(ascii: "0") && peek(1) | 0x20 == UInt8(ascii: "x")
        if base == 0 {
            let isOctal = peek() == UInt8(ascii: "0")
            base = isHex && digit(peek(2)) != nil ? 16 : isOctal ? 8 : 10
        }
        if base == 16, isHex { consumed += 2 }
    }

    private func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"):
            UInt64((byte | 0x20) - UInt8(ascii: "a")) + 10
        default: nil
        }
    }

    private func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0d).contains(byte) || byte == 0xa0
    }
}
