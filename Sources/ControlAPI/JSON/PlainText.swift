/// Finds the bytes of JSON strings that need a look.
enum PlainText {
    /// Bytes from `start` on that stand for themselves between the quotes of a JSON string: no quote, no backslash, no
    /// control character. Looks at 16 at a time, for an object file is one string of a megabyte.
    static func byteCount(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        typealias Block = SIMD16<UInt8>
        let quote = Block(repeating: UInt8(ascii: "\"")), backslash = Block(repeating: UInt8(ascii: "\\"))
        let space = Block(repeating: 0x20), delete = Block(repeating: 0x7f)
        let raw = UnsafeRawBufferPointer(bytes)
        var offset = start
        while offset <= bytes.count - 16 {
            let block = raw.loadUnaligned(fromByteOffset: offset, as: Block.self)
            let found = (block .== quote) .| (block .== backslash) .| (block .< space) .| (block .== delete)
            let words = unsafeBitCast(found, to: SIMD2<UInt64>.self)
            guard words[0] | words[1] == 0 else { break }
            offset += 16
        }
        while offset < bytes.count, isPlain(bytes[offset]) { offset += 1 }
        return offset - start
    }

    /// DEL stands for itself in JSON, but is written as an escape: it upsets terminals.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") && byte != 0x7f
    }
}
