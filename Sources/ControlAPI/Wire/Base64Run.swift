/// Base 64 that is decoded while it arrives.
package struct Base64Run: Sendable {
    /// Is given bytes, and how many came before them.
    package typealias Sink = (_ bytes: UnsafeBufferPointer<UInt8>, _ offset: Int) -> Void

    /// Where it stood in the text that it was taken out of.
    package let offset: Int
    private var pieces = Pieces()
    /// Letters of a group that is not complete, or is none.
    private var rest: [UInt8] = []
    /// What comes next does not belong to it.
    private(set) var isOver = false
    private let bulk: Base64.Bulk

    init(at offset: Int, bulk: @escaping Base64.Bulk) {
        self.offset = offset
        self.bulk = bulk
    }

    package var bytes: [UInt8] { pieces.joined() }
    /// `bytes` need only be handed out.
    var isOnePiece: Bool { pieces.isOnePiece }
    /// Letters that it has taken, padding with them.
    var letterCount: Int { (pieces.count + 2) / 3 * 4 + rest.count }
    /// The text of `bytes`, letter by letter as it came.
    var text: [UInt8] { Base64.encode(bytes) }

    /// Letters that are decoded at once, so that their bytes are still in the processor's cache when they are put away.
    private static let stride = 32 << 10

    /// Takes letters from the start of a text, as many as there are: all, unless it is over then.
    /// - Parameter sink: is given their bytes, part by part.
    /// - Returns: how many.
    mutating func append(_ text: UnsafeBufferPointer<UInt8>, _ sink: Sink) -> Int {
        var taken = 0
        while !isOver, taken < text.count {
            if rest.isEmpty {
                let end = min(text.count, taken + Self.stride)
                let count = appendGroups(of: UnsafeBufferPointer(rebasing: text[taken..<end]), sink)
                taken += count
                if count == Self.stride { continue }
            }
            guard taken < text.count, takes(text[taken], sink) else { break }
            taken += 1
        }
        return taken
    }

    private mutating func appendGroups(of text: UnsafeBufferPointer<UInt8>, _ sink: Sink) -> Int {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: text.count / 4 * 3) { bytes in
            let letters = Base64.decodeGroups(of: text, into: bytes, bulk: bulk)
            append(bytes: UnsafeBufferPointer(rebasing: bytes[..<(letters / 4 * 3)]), sink)
            return letters
        }
    }

    /// A letter of a group that is cut, or padded, or none.
    private mutating func takes(_ letter: UInt8, _ sink: Sink) -> Bool {
        let padding = UInt8(ascii: "=")
        guard Base64.isLetter(letter) || letter == padding && rest.count >= 2 else {
            isOver = true
            return false
        }
        rest.append(letter)
        guard rest.count == 4 else { return true }
        guard let group = Base64.decode(rest[...]) else {
            isOver = true
            return true
        }
        group.withUnsafeBufferPointer { append(bytes: $0, sink) }
        isOver = rest.contains(padding)
        rest = []
        return true
    }

    private mutating func append(bytes: UnsafeBufferPointer<UInt8>, _ sink: Sink) {
        guard !bytes.isEmpty else { return }
        sink(bytes, pieces.count)
        pieces.append(bytes, isLarge: true)
    }

    /// Letters at its end that became no bytes.
    mutating func takeRest() -> [UInt8] {
        defer { rest = [] }
        return rest
    }
}
