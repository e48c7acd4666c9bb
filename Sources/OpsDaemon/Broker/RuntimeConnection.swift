import ControlAPI
import Dispatch
import Glibc
import NIOCore
import NIOPosix

/// The broker's side of the socketpair to one runtime process.
final class RuntimeConnection: ChannelInboundHandler, @unchecked Sendable {  // Confined to its event loop.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    typealias Answer = (Reply, _ added: [Registration], _ removed: [UInt32]) -> Void

    let process: RuntimeProcess
    /// What is under way, by serial. The last answer to a request removes it.
    private(set) var waiting: [Int64: Answer] = [:]
    private var lastSerial: Int64 = 0
    /// Those of the window that no request has.
    var freePanes = Set(ObjectWindow.panes)
    /// What lies in a free one.
    var draft: ObjectDraft?
    /// Requests that wait for a pane, with their objects.
    private var windowQueue: [Passing] = []
    /// Above this size, no client should wait for the copy of somebody else's object.
    private static let largeObject = 1 << 20
    private static let copies = DispatchQueue(label: "opsd.window")
    /// A large object is being copied; no request may overtake it.
    private var isCopying = false
    private var frames = FrameSplitter(limit: Int(Int32.max))
    private var channel: (any Channel)?
    private var loop: (any EventLoop)?
    private var hasEnded: RuntimeEnd?
    /// Its id may be another process's by now.
    private var isReaped = false
    private var hasClosed = false
    /// News, with the serial of the request that brought them about.
    var onEvent: (HostEvent, Int64?) -> Void = { _, _ in }
    /// The process has ended and all it ever said has been heard. Called once.
    var onDeath: (RuntimeEnd) -> Void = { _ in }

    init(_ process: RuntimeProcess) {
        self.process = process
    }

    /// Takes over the descriptor.
    func start(on loop: any EventLoop) -> EventLoopFuture<Void> {
        self.loop = loop
        process.whenEnded { loop.execute { self.ended() } }
        return ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(self)
                }
            }
            .withConnectedSocket(process.descriptor)
            .map { self.channel = $0 }
    }

    /// - Parameters:
    ///   - object: the bytes that `parameters` have in base64 as `object`, or leave empty there.
    ///   - draft: these bytes, as far as they are in the window.
    @discardableResult
    func send(
        _ method: String, _ parameters: JSONValue, object: [UInt8]? = nil, draft: ObjectDraft? = nil,
        uid: UInt32 = 0, isOwnerOnly: Bool = false, _ answer: @escaping Answer
    ) -> Int64 {
        lastSerial += 1
        var request = RuntimeRequest(
            serial: lastSerial, method: method, parameters: parameters, uid: uid, isOwnerOnly: isOwnerOnly)
        guard let object, ObjectWindow.canHold(object.count) else {
            waiting[lastSerial] = answer
            write(request)
            return lastSerial
        }
        request.parameters = parameters.setting("object", to: "")
        waiting[lastSerial] = answer
        windowQueue.append(Passing(request: request, object: object, draft: draft))
        passMore()
        return lastSerial
    }

    private func write(_ request: RuntimeRequest) {
        channel?.writeAndFlush(ByteBuffer(bytes: request.json.frame), promise: nil)
    }

    // MARK: The window

    /// A request, to be sent once its object lies in the window.
    private struct Passing {
        var request: RuntimeRequest
        var object: [UInt8]
        var draft: ObjectDraft?
    }

    /// In the order in which they came, in which the runtime works on them too.
    private func passMore() {
        while !isCopying, let next = windowQueue.first,
            let (pane, isFilled) = takePane(for: next.object, next.draft)
        {
            windowQueue.removeFirst()
            var request = next.request
            request.object = RuntimeRequest.Object(byteCount: next.object.count, pane: pane)
            freeWhenAnswered(request.serial, pane)
            if isFilled {
                write(request)
            } else if next.object.count > Self.largeObject, let channel {
                isCopying = true
                Self.copies.async { [process, request] in
                    next.object.withUnsafeBufferPointer { process.window.put($0, in: pane) }
                    channel.eventLoop.execute {
                        self.write(request)
                        self.isCopying = false
                        self.passMore()
                    }
                }
            } else {
                next.object.withUnsafeBufferPointer { process.window.put($0, in: pane) }
                write(request)
            }
        }
    }

    private func freeWhenAnswered(_ serial: Int64, _ pane: Int) {
        guard let answer = waiting[serial] else { return }
        waiting[serial] = { [self] reply, added, removed in
            if !reply.continues {
                freePanes.insert(pane)
                passMore()
            }
            answer(reply, added, removed)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        frames.append(unwrapInboundIn(data).readableBytesView)
        do {
            while let frame = try frames.next() {
                guard let message = RuntimeMessage(frame: frame) else { throw ChannelError.inputClosed }
                take(message)
            }
        } catch {
            // It talks nonsense: code that ran in it has damaged it.
            signal(SIGKILL)
        }
    }

    private func take(_ message: RuntimeMessage) {
        switch message {
        case .event(let event, let serial): onEvent(event, serial)
        case .answer(let serial, let reply, let added, let removed):
            guard let answer = waiting[serial] else { return }
            if !reply.continues { waiting[serial] = nil }
            answer(reply, added, removed)
        case .text(let serial, let text): waiting.removeValue(forKey: serial)?(Reply(text: text), [], [])
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        hasClosed = true
        // A runtime without its broker has no purpose; it should have ended by itself.
        signal(SIGKILL)
        dieIfOver()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func ended() {
        isReaped = true
        hasEnded = process.reap()
        dieIfOver()
    }

    private func dieIfOver() {
        guard hasClosed, let end = hasEnded, let loop else { return }
        hasEnded = nil
        hasClosed = false
        // Later: a write that fails closes the channel at once, and who is in the middle of `send` has yet to take down
        // what it has asked for.
        loop.execute { [self] in
            waiting = [:]
            onDeath(end)
        }
    }

    func close() { channel?.close(promise: nil) }

    /// Sends a signal to the process, if it still is there.
    func signal(_ number: CInt) {
        if !isReaped { kill(process.pid, number) }
    }
}
