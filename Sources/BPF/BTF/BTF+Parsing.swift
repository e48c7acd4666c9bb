extension BTF {
    /// Reads a `.BTF` section or a kernel's `/sys/kernel/btf/*` file.
    ///
    /// Every record is checked, none is decoded: see `BTFStorage`.
    ///
    /// - Parameter base: what a split BTF (a kernel module's) goes on from.
    /// - Throws: what is wrong, with the type and the numbers; nothing in `bytes` is trusted, nothing traps.
    package init(parsing bytes: [UInt8], base: BTF? = nil) throws(BTFError) {
        let header = try BTFHeader(parsing: bytes)
        let strings = try BTFStrings(
            parsing: Array(bytes[header.strings]), following: base?.storage.strings)
        let words = littleEndianWords(of: bytes, in: header.types)
        let firstID = base?.count ?? 1
        let starts = try findRecords(in: words, firstID: firstID)
        let storage = BTFStorage(base: base?.storage, words: words, starts: starts, strings: strings)
        try BTFRecordCheck(storage).run()
        try BTFGraphCheck(storage).run()
        self.init(checked: storage)
    }
}

/// Cuts the type section into records.
private func findRecords(in words: [UInt32], firstID: Int) throws(BTFError) -> [UInt32] {
    var starts: [UInt32] = []
    // A record has 3 words or more, in practice 5.
    starts.reserveCapacity(min(words.count / 4, BTFHeader.typeCountMax))
    var start = 0
    while start < words.count {
        let id = TypeID(firstID + starts.count)
        guard id.index <= BTFHeader.typeCountMax else {
            throw .tooLarge(part: "types", count: id.index, limit: BTFHeader.typeCountMax)
        }
        let available = words.count - start
        guard available >= BTFRecord.headerWords else {
            throw .truncated(
                part: "type [\(id.rawValue)]", needed: 4 * BTFRecord.headerWords, available: 4 * available,
                offset: 4 * start)
        }
        let info = words[start + 1]
        guard let kind = BTFKind(rawValue: UInt8(info >> 24 & 0x1f)) else {
            throw .badKind(raw: info >> 24 & 0x1f, id: id)
        }
        let extra = kind.extraWords
        let needed = BTFRecord.headerWords + extra.fixed + extra.each * Int(info & 0xffff)
        guard needed <= available else {
            throw .truncated(
                part: "type [\(id.rawValue)] \(kind.name)", needed: 4 * needed, available: 4 * available,
                offset: 4 * start)
        }
        starts.append(UInt32(start))
        start += needed
    }
    return starts
}
