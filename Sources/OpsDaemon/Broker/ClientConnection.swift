import ControlAPI
import NIOCore
import NIOPosix

/// One client: cuts its bytes into calls and hands them to the broker one after the other, as varlink wants it.
///
/// Nothing is read, and no call taken up, while one is under way or an answer has not been taken: a client that floods us
/// fills its own socket buffer, and one that does not read has no further answers made for it.
final class ClientConnection: ChannelDuplexHandler, @unchecked Sendable {  // Confined to its event loop.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer

    /// Calls of which more is to be read are parsed on another thread, so that others do not wait for them.
    private static let bigFrame = 64 << 10
    /// Calls that are taken up in a row before other connections have their turn.
    private static let callsInARow = 32
    /// A request must be complete, and an answer be taken, within this time; of a large request every MiB gives a second
    /// more, for it may be us who are slow.
    private static let patience = Duration.seconds(30)

    private let broker: Broker
    private(set) var peer: Peer?
    private var channel: (any Channel)?
    private var frames = FrameSplitter(decodingWith: ParsedCall.base64)
    /// The object that arrives, in the window of the runtime that is to get it.
    private var draft: (object: ObjectDraft, runtime: RuntimeConnection)?
    private var isBusy = false
    private var isTakingCalls = false
    private var isReadHeld = false
    private var isClosing = false
    /// Bytes of ours in the broker's budgets.
    private var requestBytes = 0
    /// Of the call under way.
    private var callBytes = 0
    private var answerBytes = 0
    /// Since when the client owes us the rest of a request, or the reading of an answer.
    private var requestBegan: ContinuousClock.Instant?
    private var answerStalled: ContinuousClock.Instant?

    init(broker: Broker) {
        self.broker = broker
    }

    /// Nothing is under way between us and the client, so that somebody else can go on with it.
    var isBetweenCalls: Bool {
        !isBusy && !isClosing && frames.pendingByteCount == 0 && answerBytes == 0
    }

    /// The socket; nil once it is closed.
    var descriptor: CInt? {
        try? channel?.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            $0
        }
    }

    var isWritable: Bool { channel?.isWritable ?? false }

    // MARK: From the socket

    func handlerAdded(context: ChannelHandlerContext) { channel = context.channel }

    func channelActive(context: ChannelHandlerContext) {
        peer = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) {
            Peer(of: $0)
        }.flatMap { $0 }
        guard let peer else { return context.close(promise: nil) }
        do throws(Refusal) { try broker.connected(self, peer) } catch {
            broker.recordRefusal(error, peer)
            return refuseAndClose(error)
        }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        frames = FrameSplitter()
        draft = nil
        callBytes = 0
        accountRequests()
        accountAnswer(-answerBytes)
        broker.disconnected(self)
        channel = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        frames.append(unwrapInboundIn(data).readableBytesView) { self.pass($0, at: $1) }
        accountRequests()
        guard requestBytes <= Self.bigFrame || hasRoom else {
            return refuseAndClose(
                Refusal(
                    "busy", errno: 105, "too many large requests at once",
                    reason:
                        "\(Broker.requestBytesMax >> 20) MiB of requests may be under way, half of it of one uid",
                    suggestion: "try again"))
        }
        takeCalls()
    }

    /// Passes on what has been decoded of an object.
    private func pass(_ bytes: UnsafeBufferPointer<UInt8>, at offset: Int) {
        if offset == 0 {
            draft = broker.supervisor.connection.flatMap { runtime in
                runtime.beginDraft().map { ($0, runtime) }
            }
        }
        if let draft { draft.runtime.add(bytes, at: offset, to: draft.object) }
    }

    func read(context: ChannelHandlerContext) {
        if wantsBytes { context.read() } else { isReadHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { takeCalls() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private var wantsBytes: Bool { !isBusy && !isClosing && isWritable && !broker.isStopping }

    // MARK: Calls

    /// Takes up calls until one is under way, none is left, or others have waited long enough.
    ///
    /// A loop, not a chain of calls: what is answered at once comes back here by `finish`, and a client may have sent
    /// thousands of such.
    private func takeCalls() {
        guard !isTakingCalls else { return }
        isTakingCalls = true
        defer { isTakingCalls = false }
        for _ in 0..<Self.callsInARow {
            guard wantsBytes else { return }
            do {
                guard let frame = try frames.nextFrame() else { return readOn() }
                requestBegan = nil
                isBusy = true
                callBytes = frame.count
                parse(frame)
            } catch {
                return refuseAndClose(
                    Refusal(
                        "too-long", errno: 90, "the request is too long",
                        reason: "a request has at most \(FrameSplitter.requestBytesMax >> 20) MiB"))
            }
        }
        channel?.eventLoop.execute { self.takeCalls() }
    }

    private func readOn() {
        requestBegan = frames.pendingByteCount > 0 ? requestBegan ?? .now : nil
        guard isReadHeld else { return }
        isReadHeld = false
        channel?.read()
    }

    private func parse(_ frame: FrameSplitter.Frame) {
        if frame.unreadByteCount <= Self.bigFrame, let parsed = ParsedCall.parseAroundObject(frame) {
            return take(.success(parsed))
        }
        guard frame.count > Self.bigFrame, let channel else { return take(ParsedCall.parse(frame)) }
        broker.pool.runIfActive(eventLoop: channel.eventLoop) {
            ThreadPriority.giveWay(niceness: 5)
            return ParsedCall.parse(frame)
        }
        .whenSuccess { self.take($0) }
    }

    private func take(_ parsed: Result<ParsedCall, CallError>) {
        guard !isClosing else { return }
        switch parsed {
        case .success(let parsed):
            let draft = parsed.isFromRun ? self.draft?.object : nil
            self.draft = nil
            broker.receive(parsed.call, object: parsed.object, draft: draft, from: self)
        case .failure(let error):
            // Nobody knows what the peer meant, or where its next call begins.
            refuseAndClose(Refusal("protocol", errno: 71, "\(error)"))
        }
    }

    // MARK: Answers

    /// Sends a reply that is not the last one.
    /// - Returns: false if the client does not read: it misses the reply, and we need no memory for it.
    @discardableResult
    func stream(_ reply: Reply) -> Bool {
        guard isWritable else { return false }
        write(reply)
        return true
    }

    /// Sends a reply that is not the last one, and tells when the client has taken it, or is gone.
    func stream(_ reply: Reply, whenTaken: @escaping @Sendable () -> Void) {
        guard let taken = write(reply) else { return whenTaken() }
        taken.whenComplete { _ in whenTaken() }
    }

    /// Refuses the call under way, later: whoever asks too often is answered so often and no oftener.
    func finish(_ reply: Reply?, after delay: TimeAmount) {
        channel?.eventLoop.scheduleTask(in: delay) { self.finish(reply) }
    }

    /// Answers the call under way (nil: it wanted no answer) and takes up the next one.
    func finish(_ reply: Reply?) {
        if let reply { write(reply) }
        isBusy = false
        callBytes = 0
        accountRequests()
        takeCalls()
    }

    /// - Returns: succeeds when the client has taken it; nil: it will not.
    @discardableResult
    private func write(_ reply: Reply) -> EventLoopFuture<Void>? {
        guard let channel, !isClosing else { return nil }
        let frame = reply.frame
        guard broker.answerBytes + frame.count <= Broker.answerBytesMax else {
            // All who do not read have filled the budget together; whoever wants more of it is one of them.
            close()
            return nil
        }
        accountAnswer(frame.count)
        if answerStalled == nil { answerStalled = .now }
        let taken = channel.writeAndFlush(ByteBuffer(bytes: frame))
        taken.whenComplete { _ in
            self.accountAnswer(-frame.count)
            self.answerStalled = self.answerBytes > 0 ? .now : nil
        }
        return taken
    }

    private func refuseAndClose(_ refusal: Refusal) {
        guard let channel else { return }
        write(Reply(refusal))
        isClosing = true
        channel.close(promise: nil)
    }

    /// Ends a connection whose client keeps us waiting.
    func checkPatience(now: ContinuousClock.Instant) {
        if let answerStalled, now - answerStalled > Self.patience { return close() }
        let patience = Self.patience + .seconds(requestBytes >> 20)
        guard let requestBegan, !isBusy, now - requestBegan > patience else { return }
        refuseAndClose(
            Refusal(
                "timeout", errno: 110, "the request did not come to its end",
                reason: "\(requestBytes) bytes of it must come within \(patience.components.seconds) s"))
    }

    // MARK: Budgets

    private var hasRoom: Bool { peer.map(broker.hasRoomForRequests) ?? false }

    private func accountRequests() {
        guard let peer else { return }
        let bytes = frames.pendingByteCount + callBytes
        broker.accountRequest(bytes - requestBytes, of: peer)
        requestBytes = bytes
    }

    private func accountAnswer(_ change: Int) {
        guard answerBytes + change >= 0 else { return }
        broker.answerBytes += change
        answerBytes += change
    }

    func close() { channel?.close(promise: nil) }
}
