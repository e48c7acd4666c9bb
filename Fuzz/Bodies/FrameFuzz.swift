import ControlAPI

/// What must hold for any bytes whatever that arrive on the control socket, in whatever pieces: the splitter gives the
/// same frames, and each is refused or is a call that survives being written and read again.
package func checkFrameInput(_ bytes: [UInt8]) {
    let whole = frames(of: bytes, pieceLength: max(bytes.count, 1))
    precondition(whole == frames(of: bytes, pieceLength: 7), "frames depend on how the bytes arrived")
    for frame in whole {
        _ = try? Reply(frame: frame)
        guard let call = try? Call(frame: frame) else { continue }
        guard let again = try? Call(frame: call.json.utf8()) else {
            preconditionFailure("a call that was written is refused when read")
        }
        precondition(again == call)
    }
}

/// All complete frames up to the first failure; the limit is small so that fuzzers reach it.
private func frames(of bytes: [UInt8], pieceLength: Int) -> [[UInt8]] {
    var splitter = FrameSplitter(limit: 4096)
    var found: [[UInt8]] = []
    var start = 0
    while start < bytes.count {
        let end = min(start + pieceLength, bytes.count)
        splitter.append(bytes[start..<end])
        start = end
        do {
            while let frame = try splitter.next() { found.append(frame) }
        } catch {
            return found
        }
    }
    return found
}
