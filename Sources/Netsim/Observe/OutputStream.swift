internal import OpsCore

/// Where the bytes of an output go: a file, outside of this target.
package struct OutputSink: Sendable {
    /// For messages.
    package let name: String
    /// - Returns: 0, or why it failed (ENOSPC, EIO).
    package let write: @Sendable ([UInt8]) -> CInt

    package init(name: String, write: @escaping @Sendable ([UInt8]) -> CInt) {
        self.name = name
        self.write = write
    }
}

/// The bytes of one output on their way to a sink, in chunks, so that memory stays bounded however long the run.
final class OutputStream {
    private let sink: OutputSink
    private var buffer: [UInt8] = []
    /// The first failure; nothing is written after it.
    private(set) var failure: OpsError?

    private let chunkBytes: Int

    init(_ sink: OutputSink, chunkBytes: Int = 1 << 16) {
        self.sink = sink
        self.chunkBytes = chunkBytes
    }

    func append(_ bytes: [UInt8]) {
        guard failure == nil else { return }
        buffer.append(contentsOf: bytes)
        if buffer.count >= chunkBytes { flush() }
    }

    func flush() {
        guard failure == nil, !buffer.isEmpty else { return }
        let code = sink.write(buffer)
        if code != 0 { failure = OpsError("io", errno: code, "cannot write '\(sink.name)'") }
        buffer.removeAll(keepingCapacity: true)
    }
}
