import ControlAPI
import Glibc
import NIOCore
import NIOPosix
import Registry

/// What is settled when the daemon starts: where it listens, where it keeps things, where its configuration comes from.
struct BrokerOptions: Sendable {
    var socketPath: String
    var stateDirectory: String?
    /// Where metrics are scraped; nil: nowhere but at systemd's socket, if there is one.
    var metricsPath: String?
    var source: ConfigurationSource
}

/// The broker: takes calls, decides who may make them, passes them to the runtime, and keeps what was acknowledged.
///
/// It parses requests and nothing else: objects pass through it as text. All its state lives on one event loop; parsing of
/// large requests, and disks, are left to threads of `pool` and `storeQueue`.
final class Broker: @unchecked Sendable {  // Confined to `loop`.
    /// Over all clients; each takes two descriptors.
    static let connectionsMax = 4096
    /// Bytes of requests under way, over all clients; one uid may have half of it.
    static let requestBytesMax = 256 << 20
    /// Bytes of answers that clients have not taken yet, over all clients.
    static let answerBytesMax = 256 << 20

    /// How long a connection rests that has asked too often.
    private static let refusalDelay = TimeAmount.milliseconds(100)
    /// What we need beside clients: logs, the database, the runtime, libraries.
    private static let ownDescriptors = 128

    let loop: any EventLoop
    let pool: NIOThreadPool
    let journal: Journal
    let notifier: Notifier
    let supervisor: RuntimeSupervisor
    let storage: Storage
    /// Beside the registry.
    let records: RecordKeeper
    private(set) var rules: Rules
    private var accounts = ClientAccounts()
    private var turnstile = Turnstile()
    var audit = RefusalAudit()
    var book = RegistryBook()
    /// Registrations that the present runtime has been given back.
    var restoredIDs: Set<UInt32> = []
    /// Registrations that an earlier daemon ended over, and how often.
    var interrupted: [UInt32: Int] = [:]
    /// Registrations whose marks are on disk.
    var lastMarked: [UInt32] = []
    /// FAILED ones that are tried again.
    var retried: Set<UInt32> = []
    /// The one import that is under way.
    var importing: RegistryImport?
    /// Archives whose last part has not come yet, by connection.
    var uploads: [ObjectIdentifier: Upload] = [:]
    /// Registrations in use that are not stored yet: nobody has been told of them.
    var unstored: Set<UInt32> = []
    /// Changes that could not be stored and that the runtime is being rid of.
    var takeBacks: [ObjectIdentifier: TakeBack] = [:]
    /// What has happened to registrations in the book and could not be stored yet.
    var debt = Debt()
    /// Registrations that are being changed, with the calls that wait for it.
    var changing: [UInt32: [PendingCall]] = [:]
    var watch = RegistrationWatch()
    /// Trials of an earlier daemon, until they go on.
    var keptTrials: [UInt32: KeptTrial] = [:]
    var runs: RunTable
    /// Runs of which a record may still be on disk.
    var forgottenRuns: Set<UInt32> = []
    /// The highest id of which there is a record on disk.
    var lastStoredRun: UInt32 = 0
    /// Calls that wait for a runtime.
    var queue: [PendingCall] = []
    /// Calls that the present runtime works on, by serial.
    var underWay: [Int64: PendingCall] = [:]
    private var connections: [ObjectIdentifier: ClientConnection] = [:]
    private var monitors: [ObjectIdentifier: Monitor] = [:]
    private(set) var requestMetrics = RequestMetrics()
    /// Records so far, by kind.
    private(set) var events: [String: Int] = [:]
    private let started = ContinuousClock.now
    private let connectionsMax: Int
    private(set) var requestBytes = 0
    var answerBytes = 0
    /// We are about to end: no call is taken up any more.
    var isStopping = false

    init(
        _ rules: Rules, loop: any EventLoop, pool: NIOThreadPool, storage: Storage, records: RecordKeeper,
        journal: Journal, notifier: Notifier
    ) {
        self.rules = rules
        self.loop = loop
        self.pool = pool
        self.storage = storage
        self.records = records
        self.journal = journal
        self.notifier = notifier
        let descriptors = DescriptorLimit.raise(to: 2 * Self.connectionsMax + Self.ownDescriptors)
        connectionsMax = min(Self.connectionsMax, max(1, (descriptors - Self.ownDescriptors) / 2))
        runs = RunTable(policy: rules.configuration.jobs)
        supervisor = RuntimeSupervisor(
            loop: loop, hangTimeoutSeconds: Int64(rules.configuration.hangTimeoutSeconds))
    }

    /// Starts the runtime; on the loop.
    func start(
        book: RegistryBook, interrupted: [UInt32: Int], kept: [RecordKeeper.Kind: RecordFolder.Contents]
    ) {
        watch.onTrialEnd = { [unowned self] in records.remove(.trials, [$0]) }
        self.book = book
        takeOver(kept)
        takeOver(interrupted: interrupted)
        supervisor.settings = { [unowned self] in runtimeSettings }
        supervisor.plan = { [unowned self] in restorePlan() }
        supervisor.onEvent = { [unowned self] in tell($0, serial: $1) }
        supervisor.onRestored = { [unowned self] in restored($0) }
        supervisor.onQuarantine = { [unowned self] in quarantine($0, reason: $1) }
        supervisor.onDeath = { [unowned self] in runtimeDied($0, isRestoring: $1) }
        supervisor.otherCause = { [unowned self] in otherCause($0) }
        supervisor.onRestoring = { [unowned self] in takeUpWaiting() }
        supervisor.onStuckRun = { [unowned self] in underWay[$0]?.isStuck = true }
        supervisor.onUp = { [unowned self] in runtimeIsUp() }
        supervisor.start()
        startNextRuns()
        loop.scheduleRepeatedTask(initialDelay: .seconds(5), delay: .seconds(5)) { [unowned self] _ in
            let now = ContinuousClock.now
            for client in connections.values { client.checkPatience(now: now) }
            payDebt()
        }
    }

    /// Takes over another configuration. Nothing that is under way, connected or registered is touched.
    func configure(_ rules: Rules) {
        self.rules = rules
        runs.policy = rules.configuration.jobs
        supervisor.hangTimeoutSeconds = Int64(rules.configuration.hangTimeoutSeconds)
        supervisor.configure()
        forget(runs.forgetOld(at: wallClock))
        startNextRuns()
    }

    // MARK: Connections

    /// - Throws: which limit is reached; the client is not one of ours then.
    func connected(_ client: ClientConnection, _ peer: Peer) throws(Refusal) {
        guard connections.count < connectionsMax else {
            throw Refusal(
                "limit", errno: Int(EAGAIN), "there are \(connections.count) connections",
                reason: "the daemon serves at most \(connectionsMax) at once")
        }
        if !rules.access.isUnlimited(peer.uid) {
            try accounts.connect(peer.uid, rules.configuration.limits)
        }
        connections[ObjectIdentifier(client)] = client
    }

    func disconnected(_ client: ClientConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(client)) != nil else { return }
        if let peer = client.peer, !rules.access.isUnlimited(peer.uid) { accounts.disconnect(peer.uid) }
        monitors[ObjectIdentifier(client)] = nil
        uploads[ObjectIdentifier(client)] = nil
        abandonRuns(of: client)
        endTransient(of: client)
        abandonFollows(of: client)
        abandonVerification(of: client)
    }

    func isConnected(_ client: ClientConnection) -> Bool { connections[ObjectIdentifier(client)] != nil }

    var clientsBetweenCalls: [ClientConnection] { connections.values.filter(\.isBetweenCalls) }

    /// The peer's request may grow further.
    func hasRoomForRequests(of peer: Peer) -> Bool {
        guard requestBytes <= Self.requestBytesMax else { return false }
        return rules.access.isUnlimited(peer.uid)
            || accounts.requestBytes(of: peer.uid) <= Self.requestBytesMax / 2
    }

    func accountRequest(_ change: Int, of peer: Peer) {
        requestBytes += change
        accounts.accountRequest(change, of: peer.uid)
    }

    // MARK: Calls

    /// - Parameters:
    ///   - object: the bytes that the parameters have in base64, if they have been decoded.
    ///   - draft: the same in the runtime's window.
    func receive(_ call: Call, object: [UInt8]?, draft: ObjectDraft?, from client: ClientConnection) {
        guard let peer = client.peer else { return client.close() }
        do throws(Refusal) {
            if !rules.access.isUnlimited(peer.uid) {
                try accounts.request(peer.uid, rules.configuration.limits)
            }
        } catch {
            recordRefusal(error, peer)
            return client.finish(call.oneway ? nil : Reply(error), after: Self.refusalDelay)
        }
        guard call.interface != ServiceInterface.name else {
            return client.finish(call.oneway ? nil : ServiceInterface.answer(call))
        }
        guard let method = Method(rawValue: call.method) else {
            let isKnown = InterfaceCatalog.description(of: call.interface) != nil
            return client.finish(
                Reply(isKnown ? .methodNotFound(call.method) : .interfaceNotFound(call.interface)))
        }
        let pending = PendingCall(call, object: object, draft: draft, method, peer: peer, client: client)
        pending.whenFinished = { [unowned self, unowned pending] reply in
            requestMetrics.count(method, pending.age, isRefused: reply.error != nil)
            if pending.isInside { passTurnstile(after: pending) }
        }
        do throws(Refusal) {
            try admit(method, peer)
            try admitPriority(pending)
        } catch {
            return refuse(pending, error)
        }
        checkObject(pending) { [self] in answer($0) }
    }

    func answer(_ pending: PendingCall) {
        switch pending.method {
        case .daemonStatus: pending.finish(Reply((try? JSONValue(encoding: status)) ?? [:]))
        case .daemonMetrics: pending.finish(Reply(["text": .string(metricsText)]))
        case .registryMonitor: monitor(pending)
        case .registryWait: waitForEnd(pending)
        case .registryEjected: listEjections(pending)
        case .registryRegister where isTransient(pending) && !pending.call.more:
            pending.finish(Reply(.expectedMore))
        case .mapFollow, .programTrace: follow(pending)
        case .simulationRun: startRun(pending)
        case .simulationList: listRuns(pending)
        case .simulationResult: runResult(pending)
        case .simulationCancel: cancelRun(pending)
        case .simulationWatch: watchRun(pending)
        case .registryUnregister, .linkDetach: unregister(pending)
        case .registryUpdate: update(pending)
        case .registryExport: export(pending)
        case .registryImport: importArchive(pending)
        case .registryVerify: verify(pending)
        default: submitInTurn(pending)
        }
    }

    private func submitInTurn(_ pending: PendingCall) {
        guard !rules.access.isUnlimited(pending.peer.uid) else { return submit(pending) }
        guard turnstile.enter(pending) else { return }
        pending.isInside = true
        submit(pending)
    }

    private func passTurnstile(after pending: PendingCall) {
        guard let next = turnstile.leave(pending.peer.uid) else { return }
        next.isInside = true
        submit(next)
    }

    private func monitor(_ pending: PendingCall) {
        guard let client = pending.client else { return }
        guard pending.call.more else { return client.finish(Reply(.expectedMore)) }
        monitors[ObjectIdentifier(client)] = Monitor(client: client)
    }

    var status: DaemonStatus {
        DaemonStatus(
            version: Product.version, pid: getpid(), runtimePID: supervisor.pid,
            uptimeS: (ContinuousClock.now - started).components.seconds, restarts: supervisor.restarts,
            connections: connections.count, registrations: book.count, quarantined: book.quarantinedCount,
            simulations: runs.runningCount, durable: storage.isDurable)
    }

    var statusLine: String {
        let runtime = supervisor.pid.map { "runtime pid \($0)" } ?? "runtime restarting"
        let quarantined = book.quarantinedCount > 0 ? ", \(book.quarantinedCount) quarantined" : ""
        return "\(book.count) registrations\(quarantined), \(runs.runningCount) simulations, \(runtime)"
    }

    /// No call is under way but simulations and those who follow a map.
    var isIdle: Bool {
        (queue + underWay.values).allSatisfy { $0.run != nil || $0.method.isFollower }
    }

    // MARK: News

    /// Seconds since 1970.
    var wallClock: Int64 { Int64(wallTime) }
    var wallTime: Double {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }

    /// Records a change of state: in the journal, with who asked for it and how long it took, and to monitors.
    func tell(_ event: HostEvent, serial: Int64?) {
        var event = event
        let pending = serial.flatMap { underWay[$0] }
        if serial != nil, pending == nil, !["eject", "rollback", "refuse"].contains(event.event) {
            // A restore: what matters of it is recorded when it is done.
            return
        }
        event.durationUs = event.durationUs ?? pending?.durationMicroseconds
        event.signer = pending?.signer
        let ejection =
            event.event == "eject" ? event.id.map { EjectionRecord(event, id: $0, at: wallClock) } : nil
        event.details = nil
        record(event, peer: pending?.peer)
        if let ejection { ejected(ejection) }
        if event.event == "trial-end", let id = event.id { trialOver(id) }
    }

    func record(_ event: HostEvent, peer: Peer? = nil, priority: Journal.Priority? = nil) {
        let isTrouble = ["eject", "rollback", "quarantine", "refuse"].contains(event.event)
        journal.record(event, peer: peer, priority: priority ?? (isTrouble ? .warning : .notice))
        events[event.event, default: 0] += 1
        for monitor in monitors.values { monitor.tell(event) }
        notifier.status(statusLine)
    }

    func runtimeIsUp() {
        notifier.status(statusLine)
        hasRestored()
        takeUpWaiting()
    }

    /// Calls that wait for a runtime; some of them will go on waiting.
    private func takeUpWaiting() {
        let waiting = queue
        queue = []
        for pending in waiting { submit(pending) }
    }
}
