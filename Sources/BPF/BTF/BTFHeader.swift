/// Where the two sections of a BTF blob lie.
///
/// Layout: magic u16, version u8, flags u8, hdr_len u32, then offset and length of the type section and of the string
/// section, offsets counted from the end of the header. A longer header is accepted and what it adds is ignored, as
/// libbpf does, so that newer producers can be read.
///
/// Source: Linux `Documentation/bpf/btf.rst`, section 2.
struct BTFHeader {
    static let byteCount = 24
    static let magic: UInt16 = 0xeb9f
    /// Kernel counterparts: `BTF_MAX_TYPE`, `BTF_MAX_NAME_OFFSET`.
    static let typeCountMax = 0xf_ffff
    static let stringBytesMax = 0xff_ffff

    let types: Range<Int>
    let strings: Range<Int>

    init(parsing bytes: [UInt8]) throws(BTFError) {
        guard bytes.count >= Self.byteCount else {
            throw .truncated(part: "header", needed: Self.byteCount, available: bytes.count, offset: 0)
        }
        let magic = UInt16(bytes[0]) | UInt16(bytes[1]) << 8
        guard magic != Self.magic.byteSwapped else { throw .bigEndian }
        guard magic == Self.magic else { throw .badMagic(magic) }
        guard bytes[2] == 1 else { throw .badVersion(bytes[2]) }
        let words = littleEndianWords(of: bytes, in: 4..<Self.byteCount)
        let headerLength = Int(words[0])
        guard headerLength >= Self.byteCount else { throw .badHeaderLength(headerLength) }
        guard headerLength <= bytes.count else {
            throw .truncated(part: "header", needed: headerLength, available: bytes.count, offset: 0)
        }
        func section(_ part: String, _ offset: UInt32, _ length: UInt32) throws(BTFError) -> Range<Int> {
            // No overflow: three 32-bit numbers in 64 bits.
            let start = headerLength + Int(offset)
            guard start <= bytes.count, Int(length) <= bytes.count - start else {
                throw .truncated(
                    part: part, needed: Int(length), available: max(0, bytes.count - start), offset: start)
            }
            return start..<start + Int(length)
        }
        types = try section("type section", words[1], words[2])
        strings = try section("string section", words[3], words[4])
        guard words[1].isMultiple(of: 4), types.count.isMultiple(of: 4) else {
            throw .misaligned(part: "type section", offset: types.lowerBound)
        }
        guard strings.count <= Self.stringBytesMax else {
            throw .tooLarge(part: "string bytes", count: strings.count, limit: Self.stringBytesMax)
        }
    }
}

/// The bytes of `range`, which must lie inside `bytes` and be a multiple of 4 long, as 32-bit numbers.
func littleEndianWords(of bytes: [UInt8], in range: Range<Int>) -> [UInt32] {
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
    let count = range.count / 4
    return bytes.withUnsafeBytes { raw in
        [UInt32](unsafeUninitializedCapacity: count) { words, initialized in
            for index in 0..<count {
                // Inside the buffer: the range was checked above.
                let word = raw.loadUnaligned(fromByteOffset: range.lowerBound + 4 * index, as: UInt32.self)
                words.initializeElement(at: index, to: UInt32(littleEndian: word))
            }
            initialized = count
        }
    }
}
