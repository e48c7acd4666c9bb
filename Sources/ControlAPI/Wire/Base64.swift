/// Base 64 as RFC 4648, section 4, defines it: padded, nothing but its alphabet.
///
/// An object file of 700 KB arrives as one such string, and reading it is a good part of what a registration may cost.
package enum Base64 {
    /// Reads as many letters from the start of a text as it likes, in groups of four, and returns their number: what some
    /// processors do faster than the code here. What it reads becomes three bytes for each group; it writes no more than
    /// all letters together take.
    package typealias Bulk =
        @Sendable (
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
        let letters = text.count - (padding > 0 ? 4 : 0)
        let byteCount = 3 * (text.count / 4) - padding
        var isValid = true
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { output, initialized in
            let groups = UnsafeBufferPointer(rebasing: text[..<letters])
            isValid =
                decodeGroups(of: groups, into: output, bulk: bulk) == letters
                && decodePadded(text[letters...], into: output[(letters / 4 * 3)...])
            initialized = isValid ? byteCount : 0
        }
        return isValid ? bytes : nil
    }

    /// Reads groups of four letters from the start of a text, up to the first that is none.
    ///
    /// - Parameter output: has room for three bytes for each group of the text.
    /// - Returns: how many letters it has read.
    static func decodeGroups(
        of text: UnsafeBufferPointer<UInt8>, into output: UnsafeMutableBufferPointer<UInt8>, bulk: Bulk?
    ) -> Int {
        let groups = min(text.count / 4, output.count / 3)
        var group = 0
        if let bulk, let text = text.baseAddress, let bytes = output.baseAddress {
            group = bulk(text, 4 * groups, bytes) / 4
        }
        // Bounds: `groups` groups of four lie inside `text`, and of three inside `output`.
        return tables.withUnsafeBufferPointer { tables in
            func letters(of group: Int) -> UInt32 {
                tables[Int(text[4 * group])] | tables[256 + Int(text[4 * group + 1])]
                    | tables[512 + Int(text[4 * group + 2])] | tables[768 + Int(text[4 * group + 3])]
            }
            let raw = UnsafeMutableRawBufferPointer(output)
            // Two groups at once, as long as there is room for the two bytes that are written too many.
            while group + 2 <= groups, 3 * group + 8 <= output.count {
                let first = letters(of: group), second = letters(of: group + 1)
                guard (first | second) & invalid == 0 else { break }
                let bits = UInt64(first & 0xff_ffff) << 40 | UInt64(second & 0xff_ffff) << 16
                raw.storeBytes(of: bits.bigEndian, toByteOffset: 3 * group, as: UInt64.self)
                group += 2
            }
            while group < groups {
                let value = letters(of: group)
                guard value & invalid == 0 else { break }
                output[3 * group] = UInt8(truncatingIfNeeded: value >> 16)
                output[3 * group + 1] = UInt8(truncatingIfNeeded: value >> 8)
                output[3 * group + 2] = UInt8(truncatingIfNeeded: value)
                group += 1
            }
            return 4 * group
        }
    }

    /// The last group, if it is padded; else nothing.
    /// - Returns: whether it is one.
    private static func decodePadded(
        _ group: Slice<UnsafeBufferPointer<UInt8>>, into output: Slice<UnsafeMutableBufferPointer<UInt8>>
    ) -> Bool {
        guard !group.isEmpty else { return true }
        var output = output
        var value: UInt32 = 0
        for index in 0...output.count { value |= tables[256 * index + Int(group[group.startIndex + index])] }
        for index in 0..<output.count {
            output[output.startIndex + index] = UInt8(truncatingIfNeeded: value >> (16 - 8 * UInt32(index)))
        }
        // Bits that no byte takes are zero: so each text has one meaning.
        let unused: UInt32 = output.count == 2 ? 0xff : 0xffff
        return value & (invalid | unused) == 0
    }

    static func isLetter(_ byte: UInt8) -> Bool { tables[Int(byte)] & invalid == 0 }

    /// The one text that is read as these bytes.
    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0 as UInt32) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let letter = alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)]
                text.append(place <= group.count ? letter : UInt8(ascii: "="))
            }
        }
        return text
    }

    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Set for letters outside the alphabet.
    private static let invalid: UInt32 = 1 << 31

    /// By position in its group, then by letter: the letter's six bits in their place.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: invalid, count: 4 * 256)
        for (value, letter) in alphabet.enumerated() {
            for position in 0..<4 {
                tables[256 * position + Int(letter)] = UInt32(value) << UInt32(18 - 6 * position)
            }
        }
        return tables
    }()
}
