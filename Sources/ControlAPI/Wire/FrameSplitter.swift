import Glibc

/// Cuts a byte stream into varlink's frames, each ended by a NUL byte.
///
/// Bytes are copied once (`Pieces`), and each is searched once. Memory is bounded by twice the limit plus one piece.
///
/// An object file travels as base 64, a request of a megabyte of which the rest is a hundred bytes. Where that is wanted it
/// is decoded as it arrives, which costs no more than copying it, and is done when the last of it has come.
/// Source: varlink.org, "Protocol".
package struct FrameSplitter: Sendable {
    package enum Failure: Error, Equatable, Sendable {
        case tooLong(limit: Int)
    }

    /// One frame without its NUL.
    package struct Frame: Sendable {
        private var pieces = Pieces()
        /// Letters that have been taken out of the text, and are bytes by now.
        package private(set) var run: Base64Run?

        /// Bytes of the frame, whether or not they were decoded.
        package var count: Int { pieces.count + (run?.letterCount ?? 0) }

        /// All of it as it came, in one piece; without a copy if it came so.
        package consuming func joined() -> [UInt8] {
            guard let run else { return pieces.joined() }
            var bytes = pieces.joined()
            bytes.insert(contentsOf: run.text, at: run.offset)
            return bytes
        }

        /// The same without what has been decoded.
        package consuming func joinedAroundRun() -> [UInt8] { pieces.joined() }

        /// How much there is still to be done with it: bytes that nobody has looked at, or that do not lie in one piece.
        package var unreadByteCount: Int {
            pieces.count + (run.map { $0.isOnePiece ? 0 : $0.letterCount } ?? 0)
        }

        /// - Returns: where in `bytes` the frame ends, if it does.
        fileprivate mutating func append(
            _ bytes: UnsafeBufferPointer<UInt8>, _ bulk: Base64.Bulk?, _ sink: Base64Run.Sink = { _, _ in }
        ) -> Int? {
            var taken = 0
            if let bulk, count == 0, let start = Self.objectStart(in: bytes) {
                pieces.append(UnsafeBufferPointer(rebasing: bytes[..<start]))
                run = Base64Run(at: start, bulk: bulk)
                taken = start
            }
            if run?.isOver == false {
                taken += run?.append(UnsafeBufferPointer(rebasing: bytes[taken...]), sink) ?? 0
                guard run?.isOver == true else { return nil }
                run?.takeRest().withUnsafeBufferPointer { pieces.append($0) }
            }
            let rest = UnsafeBufferPointer(rebasing: bytes[taken...])
            let end = Self.endOfFrame(in: rest)
            pieces.append(UnsafeBufferPointer(rebasing: rest[..<(end ?? rest.endIndex)]))
            return end.map { taken + $0 }
        }

        private static func endOfFrame(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
            guard let base = bytes.baseAddress, let found = memchr(base, 0, bytes.count) else { return nil }
            return UnsafeRawPointer(base).distance(to: UnsafeRawPointer(found))
        }

        /// A frame whose first bytes are fewer is small, or comes from somebody who is in no hurry.
        private static let firstBytesMin = 16 << 10
        /// Where a call says what it is about.
        private static let headByteCount = 4096

        /// Where what is most likely the text of a large object begins. Whether it is one, only who understands all of the
        /// frame can tell: until then it is letters.
        private static func objectStart(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
            guard bytes.count >= firstBytesMin else { return nil }
            let head = UnsafeBufferPointer(rebasing: bytes[..<headByteCount])
            let end = endOfFrame(in: head) ?? head.count
            for quote in head[..<end].indices where head[quote] == UInt8(ascii: "\"") {
                for start in objectStarts where head[quote..<end].starts(with: start.utf8) {
                    return quote + start.utf8.count
                }
            }
            return nil
        }

        private static let objectStarts = [#""object":""#, #""object": ""#]
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
    private let bulk: Base64.Bulk?

    /// - Parameter bulk: the object of a call is decoded with it while it arrives; nil: is left as it comes.
    package init(limit: Int = FrameSplitter.requestBytesMax, decodingWith bulk: Base64.Bulk? = nil) {
        self.limit = limit
        self.bulk = bulk
    }

    /// Bytes that have not been handed out.
    package var pendingByteCount: Int { begun.count + (isComplete ? 1 : 0) + rest.count }

    /// - Parameter sink: is given what is decoded of a frame that begins with a piece, most often all of it.
    package mutating func append(_ piece: some Collection<UInt8>, _ sink: Base64Run.Sink = { _, _ in }) {
        let isTaken: Void? = piece.withContiguousStorageIfAvailable { take($0, sink) }
        if isTaken == nil { Array(piece).withUnsafeBufferPointer { take($0, sink) } }
    }

    private mutating func take(_ bytes: UnsafeBufferPointer<UInt8>, _ sink: Base64Run.Sink) {
        guard !isComplete, rest.isEmpty else {
            rest += bytes
            return
        }
        guard let end = begun.append(bytes, bulk, sink) else { return }
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
                let end = begun.append(bytes, bulk)
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
}
