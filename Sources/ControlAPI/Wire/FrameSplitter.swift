import Glibc

/// Cuts a byte stream into varlink's frames, each ended by a NUL byte.
///
/// A frame that comes in many pieces is kept as pieces until somebody wants it in one: nothing is moved while it grows, and
/// the one copy can be made on another thread. Each byte is searched once. Memory is bounded by the limit plus one piece.
/// Source: varlink.org, "Protocol".
package struct FrameSplitter: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        case tooLong(limit: Int)
    }

    /// One frame without its NUL.
    package struct Frame: Sendable {
        fileprivate var pieces: [[UInt8]] = []
        package fileprivate(set) var count = 0

        /// In one piece; without a copy if it came so.
        package consuming func joined() -> [UInt8] {
            guard pieces.count != 1 else { return pieces[0] }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(count)
            for piece in pieces { bytes += piece }
            return bytes
        }

        fileprivate mutating func append(_ bytes: ArraySlice<UInt8>) {
            guard !bytes.isEmpty else { return }
            count += bytes.count
            // A client that sends byte by byte must not cost us an array for each.
            if let last = pieces.indices.last, pieces[last].count < FrameSplitter.pieceBytes {
                pieces[last] += bytes
            } else {
                pieces.append(Array(bytes))
            }
        }
    }

    /// Most bytes of a request, the NUL not counted.
    package static let requestBytesMax = 64 << 20

    /// Pieces below this size grow.
    private static let pieceBytes = 256 << 10

    /// The frame that is not complete yet; no NUL lies in it.
    private var begun = Frame()
    /// What has not been searched.
    private var rest: ArraySlice<UInt8> = []
    private let limit: Int

    package init(limit: Int = FrameSplitter.requestBytesMax) {
        self.limit = limit
    }

    /// Bytes that have not been handed out.
    package var pendingByteCount: Int { begun.count + rest.count }

    package mutating func append(_ piece: some Collection<UInt8>) {
        if rest.isEmpty { rest = ArraySlice(Array(piece)) } else { rest += piece }
    }

    /// The next complete frame, or nil if more bytes are needed.
    ///
    /// - Throws: `tooLong`; the stream cannot be followed after that, for the frame's end is unknown.
    package mutating func nextFrame() throws(Failure) -> Frame? {
        let end = endOfFrame()
        begun.append(rest[rest.startIndex..<(end ?? rest.endIndex)])
        rest = end.map { rest[($0 + 1)...] } ?? []
        guard begun.count <= limit else { throw .tooLong(limit: limit) }
        guard end != nil else { return nil }
        defer { begun = Frame() }
        return begun
    }

    /// The same, in one piece.
    package mutating func next() throws(Failure) -> [UInt8]? { try nextFrame()?.joined() }

    /// An index of `rest`.
    private func endOfFrame() -> Int? {
        rest.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, let found = memchr(base, 0, buffer.count) else { return nil }
            return rest.startIndex + base.distance(to: UnsafeRawPointer(found))
        }
    }
}
