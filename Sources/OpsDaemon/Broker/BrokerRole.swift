import ControlAPI
import Dispatch
import Glibc
import NIOCore
import NIOPosix
import Registry

/// `opsd`: puts the broker together and runs it until a signal ends it.
enum BrokerRole {
    static func run(_ options: BrokerOptions) throws -> Never {
        // Whoever started us may have had signals blocked, and a daemon that cannot be told to stop has to be killed.
        var none = sigset_t()
        sigemptyset(&none)
        sigprocmask(SIG_SETMASK, &none, nil)

        let journal = Journal()
        let notifier = Notifier()
        let rules: Rules
        do { rules = try options.source.read() } catch { throw StartFailure(error.text) }
        let (keeper, book, interrupted) = try openRegistry(options.stateDirectory, journal)
        let passed = try PassedDescriptors.take()
        let listening = try ListeningSocket.open(
            passed.control, orAt: options.socketPath, group: rules.access.groupID)
        if !keeper.isDurable {
            journal.say("no state directory: registrations end with this process", priority: .notice)
        }

        // The broker's loop, whose thread also starts the runtime and so must live as long as we do, and a pool.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // Half of the processors for large requests: the other half is for those who wait for a small one.
        let poolThreadCount = max(1, min(4, Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))) / 2))
        let pool = NIOThreadPool(numberOfThreads: poolThreadCount)
        pool.start()
        let loop = group.next()
        let records = RecordKeeper(directory: options.stateDirectory, loop: loop)
        let kept = records.open()
        for finding in kept.values.flatMap(\.findings).sorted() { found(finding, .warning, journal) }
        let broker = Broker(
            rules, loop: loop, pool: pool, storage: Storage(keeper, loop: loop), records: records,
            journal: journal, notifier: notifier)
        let server = try listen(listening, broker, group).wait()
        let scrapes = try MetricsServer.start(
            passed.metrics, options.metricsPath, rules.access.groupID, broker)
        loop.execute {
            broker.start(book: book, interrupted: interrupted, kept: kept)
            BrokerRehearsal.run(pool: pool, threadCount: poolThreadCount)
            // However much there is to restore: a call that concerns what is not back yet waits for it.
            server.setOption(.autoRead, value: true).whenComplete { _ in server.read() }
            for client in passed.clients { adopt(client, broker) }
            notifier.ready(broker.statusLine)
            journal.say("ready: \(broker.statusLine)")
        }
        if let interval = notifier.watchdogInterval { watch(loop, notifier, interval) }

        let signals = Signals(
            stop: {
                loop.execute {
                    Shutdown(broker: broker, servers: [server, scrapes?.channel].compactMap { $0 })
                        .begin(removing: [listening, scrapes?.socket].compactMap { $0?.ownPath })
                }
            },
            reload: { reload(broker, from: options.source) })
        withExtendedLifetime(signals) { dispatchMain() }
    }

    /// Reads what is kept, and says what was not as it had been left.
    private static func openRegistry(
        _ directory: String?, _ journal: Journal
    ) throws -> (any RegistryKeeper, RegistryBook, interrupted: [UInt32: Int]) {
        guard let directory else { return (MemoryKeeper(), RegistryBook(), [:]) }
        do throws(Refusal) {
            let store = try RegistryStore(directory: directory)
            let (book, report) = try store.open()
            for finding in report.findings { found(finding, report.hasLost ? .error : .warning, journal) }
            if let reason = report.readOnlyReason {
                journal.record(
                    HostEvent(
                        "restore", reason: reason,
                        text: "the state directory cannot be written: changes are refused until it can"),
                    priority: .error)
            }
            return (store, book, report.interrupted)
        } catch {
            throw StartFailure([error.text, error.reason].compactMap { $0 }.joined(separator: ": "))
        }
    }

    private static func found(_ finding: String, _ priority: Journal.Priority, _ journal: Journal) {
        journal.record(
            HostEvent("restore", reason: finding, text: "state directory: \(finding)"), priority: priority)
    }

    /// Accepts nobody yet: connections wait in the kernel until the broker has begun.
    private static func listen(
        _ socket: ListeningSocket, _ broker: Broker, _ group: MultiThreadedEventLoopGroup
    ) -> EventLoopFuture<any Channel> {
        ServerBootstrap(group: group)
            .serverChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ClientConnection(broker: broker))
                }
            }
            .childChannelOption(.recvAllocator, value: receiveBuffers)
            .childChannelOption(.maxMessagesPerRead, value: readsInARow)
            .childChannelOption(.writeBufferWaterMark, value: answerBuffers)
            .withBoundSocket(socket.descriptor)
    }

    /// Goes on with a client of the process before us.
    private static func adopt(_ descriptor: CInt, _ broker: Broker) {
        ClientBootstrap(group: broker.loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ClientConnection(broker: broker))
                }
            }
            .channelOption(.recvAllocator, value: receiveBuffers)
            .channelOption(.maxMessagesPerRead, value: readsInARow)
            .channelOption(.writeBufferWaterMark, value: answerBuffers)
            .withConnectedSocket(descriptor)
            .whenFailure { error in
                close(descriptor)
                broker.journal.say("a client could not be taken over: \(error)", priority: .warning)
            }
    }

    /// What a socket's buffer holds in one read: an object file comes in a megabyte of text.
    private static let receiveBuffers = FixedSizeRecvByteBufferAllocator(capacity: 256 << 10)
    /// Between two the connection says whether it wants more: a client's socket may hold megabytes of calls.
    private static let readsInARow: UInt = 1
    private static let answerBuffers = ChannelOptions.Types.WriteBufferWaterMark(
        low: 256 << 10, high: 1 << 20)

    /// The loop that serves clients is what has to be alive; the runtime's health is the supervisor's business.
    private static func watch(_ loop: any EventLoop, _ notifier: Notifier, _ interval: Duration) {
        let nanoseconds = Int64(interval / .nanoseconds(1))
        loop.scheduleRepeatedTask(initialDelay: .zero, delay: .nanoseconds(nanoseconds)) { _ in
            notifier.alive()
        }
    }

    /// Files are read and names looked up on the caller's thread, so that no client waits for a disk.
    private static func reload(_ broker: Broker, from source: ConfigurationSource) {
        broker.notifier.reloading()
        let result = Result { () throws(ConfigurationError) in try source.read() }
        broker.loop.execute {
            switch result {
            case .success(let rules):
                broker.configure(rules)
                broker.journal.say("reloaded \(source.files.path)")
            case .failure(let error):
                broker.journal.say("the configuration stays as it was: \(error.text)", priority: .error)
            }
            broker.notifier.ready(broker.statusLine)
        }
    }
}
