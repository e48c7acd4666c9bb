/// Bytes that arrive piecemeal. They are copied once, to where they are put together; what is there is not moved while
/// more come.
struct Pieces: Sendable {
    /// All but the last are full. Each has as much room as all before it together, so they are few.
    private var pieces: [[UInt8]] = []
    private(set) var count = 0

    /// Bytes that begin with so many are large.
    private static let largeBytes = 128 << 10
    /// Room for them: most are objects of less than a megabyte, which then lie in one piece.
    private static let largeRoom = 1 << 20

    /// What is put together need only be handed out.
    var isOnePiece: Bool { pieces.count <= 1 }

    /// In one piece; without a copy if they lie so.
    consuming func joined() -> [UInt8] {
        guard pieces.count != 1 else { return pieces[0] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for piece in pieces { bytes += piece }
        return bytes
    }

    /// - Parameter isLarge: as many will follow as a large request has, whatever comes now.
    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>, isLarge: Bool = false) {
        var fittingCount = 0
        if let last = pieces.indices.last {
            fittingCount = min(bytes.count, pieces[last].capacity - pieces[last].count)
            pieces[last] += UnsafeBufferPointer(rebasing: bytes[..<fittingCount])
        }
        if fittingCount < bytes.count {
            let rest = UnsafeBufferPointer(rebasing: bytes[fittingCount...])
            let isLarge = isLarge || rest.count >= Self.largeBytes
            var piece: [UInt8] = []
            piece.reserveCapacity(max(rest.count, count, isLarge ? Self.largeRoom : 0))
            piece += rest
            pieces.append(piece)
        }
        count += bytes.count
    }
}
