import NIOCore
import NIOPosix

/// The socket at which metrics are scraped: one HTTP answer for each connection, whatever was asked.
///
/// Scrapers speak HTTP, and no more of it is needed here: the request is read up to its empty line and then ignored.
struct MetricsServer {
    let channel: any Channel
    let socket: ListeningSocket

    private static let connectionsMax = 16

    /// - Parameters:
    ///   - passed: systemd's socket; without it `path` is bound; without either, nothing is served.
    static func start(
        _ passed: CInt?, _ path: String?, _ group: UInt32?, _ broker: Broker
    ) throws -> MetricsServer? {
        guard passed != nil || path != nil else { return nil }
        let socket = try ListeningSocket.open(passed, orAt: path ?? "", group: group)
        let open = Counter()
        let channel = try ServerBootstrap(group: broker.loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard open.count < connectionsMax else { throw ChannelError.ioOnClosedChannel }
                    open.count += 1
                    channel.closeFuture.whenComplete { _ in open.count -= 1 }
                    try channel.pipeline.syncOperations.addHandler(Scrape(broker: broker))
                }
            }
            .withBoundSocket(socket.descriptor).wait()
        return MetricsServer(channel: channel, socket: socket)
    }

    private final class Counter: @unchecked Sendable {  // Confined to the broker's loop.
        var count = 0
    }
}

/// One scrape.
private final class Scrape: ChannelInboundHandler, @unchecked Sendable {  // Confined to its event loop.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let requestBytesMax = 8192
    private static let patience = TimeAmount.seconds(10)

    private let broker: Broker
    private var request = ""
    private var isAnswered = false

    init(broker: Broker) {
        self.broker = broker
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        channel.eventLoop.scheduleTask(in: Self.patience) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAnswered else { return }
        request += String(buffer: unwrapInboundIn(data))
        guard request.utf8.count <= Self.requestBytesMax else { return context.close(promise: nil) }
        guard request.contains("\r\n\r\n") || request.contains("\n\n") else { return }
        isAnswered = true
        let text = broker.metricsText
        let head = """
            HTTP/1.1 200 OK\r
            Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r
            Content-Length: \(text.utf8.count)\r
            Connection: close\r
            \r

            """
        let channel = context.channel
        channel.writeAndFlush(ByteBuffer(string: head + text)).whenComplete { _ in channel.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
