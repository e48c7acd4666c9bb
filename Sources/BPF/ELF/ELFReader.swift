/// Little-endian reads from a file's bytes. Every read is checked; nothing here traps, whatever the offset.
struct ELFReader: Sendable {
    let bytes: [UInt8]

    /// - Throws: `ELFError.truncated` when `offset ..< offset + count` is not inside the file.
    func range(_ part: @autoclosure () -> String, at offset: UInt64, count: UInt64) throws(ELFError) -> Range<
        Int
    > {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, end <= UInt64(bytes.count), let low = Int(exactly: offset),
            let high = Int(exactly: end)
        else {
            throw .truncated(part: part(), offset: offset, needed: count, available: bytes.count)
        }
        return low..<high
    }

    /// Zero outside the file; callers have checked the record's whole range before.
    func u16(_ offset: Int) -> UInt16 { UInt16(truncatingIfNeeded: load(offset, 2)) }
    func u32(_ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: load(offset, 4)) }
    func u64(_ offset: Int) -> UInt64 { load(offset, 8) }
    func u8(_ offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: load(offset, 1)) }

    private func load(_ offset: Int, _ count: Int) -> UInt64 {
        guard offset >= 0, offset <= bytes.count - count else { return 0 }
        var value: UInt64 = 0
        for index in (0..<count).reversed() { value = value << 8 | UInt64(bytes[offset + index]) }
        return value
    }
}
