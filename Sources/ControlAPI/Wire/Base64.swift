/// Base 64 as RFC 4648, section 4, defines it: padded, nothing but its alphabet.
///
/// An object file of 700 KB arrives as one such string, and reading it is a good part of what a registration may cost.
package enum Base64 {
    /// Reads as many letters from the start of a text as it likes, in groups of four, and returns their number: what some
    /// processors do faster than the code here. What it reads becomes three bytes for each group; it writes no more than
    /// all letters together take.
    package typealias Bulk = (
        _ text: UnsafePointer<UInt8>, _ letters: Int, _ bytes: UnsafeMutablePointer<UInt8>
    ) -> Int

    /// - Returns: nil if `text` is not base 64.
    package static func decode(_ text: String, bulk: Bulk? = nil) -> [UInt8]? {
        var text = text
        return text.withUTF8 { decode($0, bulk: bulk) }
    }

    /// The same of a text's bytes.
    package static func decode(_ text: ArraySlice<UInt8>, bulk: Bulk? = nil) -> [UInt8]? {
        text.withUnsafeBufferPointer { decode($0, bulk: bulk) }
    }

    private static func decode(_ text: UnsafeBufferPointer<UInt8>, bulk: Bulk?) -> [UInt8]? {
        guard !text.isEmpty else { return [] }
        guard text.count.isMultiple(of: 4) else { return nil }
        let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        // Four letters make three bytes; those with padding are read apart.
        let groups = text.count / 4 - (padding > 0 ? 1 : 0)
        let byteCount = 3 * (text.count / 4) - padding
        var isValid = true
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { output, initialized in
            isValid = tables.withUnsafeBufferPointer { tables in
                // Bounds: `groups` groups of four lie inside `text`, and of three inside `output`.
                var seen: UInt32 = 0
                func letters(of group: Int) -> UInt32 {
                    tables[Int(text[4 * group])] | tables[256 + Int(text[4 * group + 1])]
                        | tables[512 + Int(text[4 * group + 2])] | tables[768 + Int(text[4 * group + 3])]
                }
                var group = 0
                if let bulk, let text = text.baseAddress, let bytes = output.baseAddress {
                    group = bulk(text, 4 * groups, bytes) / 4
                }
                let raw = UnsafeMutableRawBufferPointer(output)
                // Two groups at once, as long as there is room for the two bytes that are written too many.
                while group + 2 <= groups, 3 * group + 8 <= byteCount {
                    let first = letters(of: group), second = letters(of: group + 1)
                    seen |= first | second
                    let bits = UInt64(first & 0xff_ffff) << 40 | UInt64(second & 0xff_ffff) << 16
                    raw.storeBytes(of: bits.bigEndian, toByteOffset: 3 * group, as: UInt64.self)
                    group += 2
                }
                while group < groups {
                    let value = letters(of: group)
                    seen |= value
                    output[3 * group] = UInt8(truncatingIfNeeded: value >> 16)
                    output[3 * group + 1] = UInt8(truncatingIfNeeded: value >> 8)
                    output[3 * group + 2] = UInt8(truncatingIfNeeded: value)
                    group += 1
                }
                guard padding > 0 else { return seen & invalid == 0 }
                var value: UInt32 = 0
                for index in 0..<4 - padding { value |= tables[256 * index + Int(text[4 * groups + index])] }
                for index in 0..<3 - padding {
                    output[3 * groups + index] = UInt8(truncatingIfNeeded: value >> (16 - 8 * UInt32(index)))
                }
                // Bits that no byte takes are zero: so each text has one meaning.
                let unused: UInt32 = padding == 1 ? 0xff : 0xffff
                return (seen | value) & invalid == 0 && value & unused == 0
            }
            initialized = isValid ? byteCount : 0
        }
        return isValid ? bytes : nil
    }

    /// Set for letters outside the alphabet.
    private static let invalid: UInt32 = 1 << 31

    /// By position in its group, then by letter: the letter's six bits in their place.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: invalid, count: 4 * 256)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (value, letter) in alphabet.utf8.enumerated() {
            for position in 0..<4 {
                tables[256 * position + Int(letter)] = UInt32(value) << UInt32(18 - 6 * position)
            }
        }
        return tables
    }()
}
