import Glibc

/// Cuts a byte stream into varlink's frames, each ended by a NUL byte.
///
/// The search for the NUL goes on where the last one ended, so a frame that comes in many small pieces costs its
/// length once. Memory is bounded by the limit plus one piece.
/// Source: varlink.org, "Protocol".
package struct FrameSplitter: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        case tooLong(limit: Int)
    }

    /// Most bytes of a request, the NUL not counted.
    package static let requestBytesMax = 64 << 20

    private static let largePiece = 64 << 10
    private static let largeFrame = 1 << 20

    private var bytes: [UInt8] = []
    /// Where the first frame not yet handed out begins.
    private var start = 0
    /// No NUL lies in `start ..< scanned`.
    private var scanned = 0
    private let limit: Int

    package init(limit: Int = FrameSplitter.requestBytesMax) {
        self.limit = limit
    }

    /// Bytes of the frame that is not complete yet.
    package var pendingByteCount: Int { bytes.count - start }

    package mutating func append(_ piece: some Collection<UInt8>) {
        if start > 0 {
            bytes.removeFirst(start)
            scanned -= start
            start = 0
        }
        // A frame that does not come in one piece is an object file: room for a usual one at once.
        if bytes.count > Self.largePiece, bytes.capacity < Self.largeFrame {
            bytes.reserveCapacity(Self.largeFrame)
        }
        bytes.append(contentsOf: piece)
    }

    /// The next complete frame without its NUL, or nil if more bytes are needed.
    ///
    /// - Throws: `tooLong`; the stream cannot be followed after that, for the frame's end is unknown.
    package mutating func next() throws(Failure) -> [UInt8]? {
        guard let end = endOfFrame() else {
            scanned = bytes.count
            guard pendingByteCount <= limit else { throw .tooLong(limit: limit) }
            return nil
        }
        guard end - start <= limit else { throw .tooLong(limit: limit) }
        if start == 0, end == bytes.count - 1 {
            // Nothing else is here, as after most requests: handed out without a copy.
            bytes.removeLast()
            scanned = 0
            defer { bytes = [] }
            return bytes
        }
        let frame = Array(bytes[start..<end])
        start = end + 1
        scanned = start
        return frame
    }

    private func endOfFrame() -> Int? {
        bytes.withUnsafeBytes { buffer in
            guard scanned < buffer.count, let base = buffer.baseAddress,
                let found = memchr(base + scanned, 0, buffer.count - scanned)
            else { return nil }
            return base.distance(to: UnsafeRawPointer(found))
        }
    }
}
