/// What all maps made of cells have in common when they are walked.
extension CellTable {
    /// Calls `body` with each live cell's key and value, in the order of the cells, until it returns false.
    ///
    /// Cells that `body` adds beyond those in use at the start are not visited, so a body that adds one per turn ends too.
    /// - Returns: how often it was called.
    @unsafe func forEach(_ body: (UnsafeRawPointer, UnsafeMutableRawPointer) -> Bool) -> Int {
        let end = endCell
        var turns = 0
        var next: UInt32 = 0
        // SAFETY: addresses of live cells are handed on for the time of one call.
        while let cell = unsafe liveCell(from: next, before: end) {
            turns += 1
            next = unsafe cell.number + 1
            guard unsafe body(cell.key, cell.value) else { break }
        }
        return turns
    }

    /// The key after `key` in the order of cells; the first one for nil or an unknown key; nil at the end.
    ///
    /// - Precondition: `key` has the table's key size.
    func keyAfter(_ key: [UInt8]?) -> [UInt8]? {
        // SAFETY: the key has keySize bytes, and so has the one found.
        unsafe (key ?? []).withUnsafeBytes { bytes in
            var start: UInt32 = 0
            if let base = bytes.baseAddress, key != nil, let cell = unsafe cell(of: base) { start = cell + 1 }
            guard let next = unsafe liveCell(from: start, before: .max) else { return nil }
            return unsafe [UInt8](UnsafeRawBufferPointer(start: next.key, count: keySize))
        }
    }
}
