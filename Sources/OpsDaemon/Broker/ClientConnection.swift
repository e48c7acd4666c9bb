import CShim
import ControlAPI
import NIOCore
import NIOPosix

/// One client: cuts its bytes into calls and hands them to the broker one after the other, as varlink wants it.
///
/// While a call is under way no more is read than has been read already, so a client that floods us fills its own
/// socket buffer, not our memory.
final class ClientConnection: ChannelDuplexHandler, @unchecked Sendable {  // Confined to its event loop.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer

    /// Calls above this size are parsed on another thread, so that others do not wait for them.
    private static let bigFrame = 64 << 10

    private let broker: Broker
    private(set) var peer: Peer?
    private var channel: (any Channel)?
    private var frames = FrameSplitter()
    private var isBusy = false
    private var isReadHeld = false
    private var isClosing = false
    /// Bytes of ours in the broker's budget for requests.
    private var accounted = 0

    init(broker: Broker) {
        self.broker = broker
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
        account(0)
        broker.disconnected(self)
        channel = nil
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosing else { return }
        frames.append(unwrapInboundIn(data).readableBytesView)
        account(frames.pendingByteCount)
        guard broker.hasRoomForRequests || accounted <= Self.bigFrame else {
            refuseAndClose(
                Refusal(
                    "busy", errno: 105, "too many large requests at once",
                    reason:
                        "all clients together may have \(Broker.requestBytesMax >> 20) MiB of requests under way",
                    suggestion: "try again"))
            return
        }
        next()
    }

    func read(context: ChannelHandlerContext) {
        if isBusy { isReadHeld = true } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: Calls

    private func next() {
        guard !isBusy, !isClosing, let channel else { return }
        do {
            guard let frame = try frames.next() else { return }
            isBusy = true
            guard frame.count > Self.bigFrame else { return take(ClientConnection.parse(frame)) }
            broker.pool.runIfActive(eventLoop: channel.eventLoop) { ClientConnection.parse(frame) }
                .whenSuccess { self.take($0) }
        } catch {
            refuseAndClose(
                Refusal(
                    "too-long", errno: 90, "the request is too long",
                    reason: "a request has at most \(FrameSplitter.requestBytesMax >> 20) MiB"))
        }
    }

    private typealias Parsed = (call: Call, object: [UInt8]?)

    private static func parse(_ frame: [UInt8]) -> Result<Parsed, CallError> {
        do throws(CallError) {
            let call = try Call(frame: frame)
            guard
                call.method == Method.registryRegister.rawValue
                    || call.method == Method.registryUpdate.rawValue
            else { return .success((call, nil)) }
            // What is no base 64 goes on as it is: the runtime says what is wrong with it.
            let object = call.parameters["object"]?.string.flatMap { text in
                Base64.decode(text) { ops_base64_decode($0, $1, $2) }
            }
            return .success((call, object))
        } catch {
            return .failure(error)
        }
    }

    private func take(_ parsed: Result<Parsed, CallError>) {
        guard !isClosing else { return }
        account(frames.pendingByteCount)
        switch parsed {
        case .success(let (call, object)): broker.receive(call, object: object, from: self)
        case .failure(let error):
            // Nobody knows what the peer meant, or where its next call begins.
            refuseAndClose(Refusal("protocol", errno: 71, "\(error)"))
        }
    }

    /// Sends a reply that is not the last one.
    func stream(_ reply: Reply) {
        // A client that does not read misses progress, not memory of ours.
        guard isWritable else { return }
        write(reply)
    }

    /// Answers the call under way (nil: it wanted no answer) and takes up the next one.
    func finish(_ reply: Reply?) {
        if let reply { write(reply) }
        isBusy = false
        next()
        guard isReadHeld, !isBusy, let channel else { return }
        isReadHeld = false
        channel.read()
    }

    private func write(_ reply: Reply) {
        guard let channel, !isClosing else { return }
        channel.writeAndFlush(ByteBuffer(bytes: reply.json.frame), promise: nil)
    }

    private func refuseAndClose(_ refusal: Refusal) {
        guard let channel else { return }
        write(Reply(refusal))
        isClosing = true
        channel.close(promise: nil)
    }

    private func account(_ bytes: Int) {
        broker.account(bytes - accounted)
        accounted = bytes
    }

    func close() { channel?.close(promise: nil) }
}
