import Glibc

/// Cuts a byte stream into varlink's frames, each ended by a NUL byte.
///
/// Bytes are copied once, to where the frame is put together; what is there is not moved while the frame grows. Each byte is
/// searched once. Memory is bounded by twice the limit plus one piece.
/// Source: varlink.org, "Protocol".
package struct FrameSplitter: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        case tooLong(limit: Int)
    }

    /// One frame without its NUL.
    package struct Frame: Sendable {
        /// All but the last are full. Each has as much room as all before it together, so they are few.
        private var pieces: [[UInt8]] = []
        package private(set) var count = 0

        /// A frame that begins with so much is large.
        private static let largeBytes = 128 << 10
        /// Room for a large frame: most are objects of less than a megabyte, which then lie in one piece.
        private static let largeRoom = 1 << 20

        /// In one piece; without a copy if it came so.
        package consuming func joined() -> [UInt8] {
            guard pieces.count != 1 else { return pieces[0] }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(count)
            for piece in pieces { bytes += piece }
            return bytes
        }

        fileprivate mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
            var fittingCount = 0
            if let last = pieces.indices.last {
                fittingCount = min(bytes.count, pieces[last].capacity - pieces[last].count)
                pieces[last] += UnsafeBufferPointer(rebasing: bytes[..<fittingCount])
            }
            if fittingCount < bytes.count {
                let rest = UnsafeBufferPointer(rebasing: bytes[fittingCount...])
                let isLarge = rest.count >= Self.largeBytes
                var piece: [UInt8] = []
                piece.reserveCapacity(max(rest.count, count, isLarge ? Self.largeRoom : 0))
                piece += rest
                pieces.append(piece)
            }
            count += bytes.count
        }
    }

    /// Most bytes of a request, the NUL not counted.
    package static let requestBytesMax = 64 << 20

    /// The frame that has not been handed out yet; no NUL lies in it.
    private var begun = Frame()
    /// Its NUL has come.
    private var isComplete = false
    /// What came behind that and has not been searched.
    private var rest: ArraySlice<UInt8> = []
    private let limit: Int

    package init(limit: Int = FrameSplitter.requestBytesMax) {
        self.limit = limit
    }

    /// Bytes that have not been handed out.
    package var pendingByteCount: Int { begun.count + (isComplete ? 1 : 0) + rest.count }

    package mutating func append(_ piece: some Collection<UInt8>) {
        let isTaken: Void? = piece.withContiguousStorageIfAvailable { take($0) }
        if isTaken == nil { Array(piece).withUnsafeBufferPointer { take($0) } }
    }

    private mutating func take(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard !isComplete, rest.isEmpty else {
            rest += bytes
            return
        }
        let end = Self.endOfFrame(in: bytes)
        begun.append(UnsafeBufferPointer(rebasing: bytes[..<(end ?? bytes.endIndex)]))
        guard let end else { return }
        isComplete = true
        rest = ArraySlice(Array(UnsafeBufferPointer(rebasing: bytes[(end + 1)...])))
    }

    /// The next complete frame, or nil if more bytes are needed.
    ///
    /// - Throws: `tooLong`; the stream cannot be followed after that, for the frame's end is unknown.
    package mutating func nextFrame() throws(Failure) -> Frame? {
        if !isComplete, !rest.isEmpty {
            let unsearched = rest
            unsearched.withUnsafeBufferPointer { bytes in
                let end = Self.endOfFrame(in: bytes)
                begun.append(UnsafeBufferPointer(rebasing: bytes[..<(end ?? bytes.endIndex)]))
                isComplete = end != nil
                rest = end.map { unsearched.dropFirst($0 + 1) } ?? []
            }
        }
        guard begun.count <= limit else { throw .tooLong(limit: limit) }
        guard isComplete else { return nil }
        defer {
            begun = Frame()
            isComplete = false
        }
        return begun
    }

    /// The same, in one piece.
    package mutating func next() throws(Failure) -> [UInt8]? { try nextFrame()?.joined() }

    private static func endOfFrame(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        guard let base = bytes.baseAddress, let found = memchr(base, 0, bytes.count) else { return nil }
        return UnsafeRawPointer(base).distance(to: UnsafeRawPointer(found))
    }
}
