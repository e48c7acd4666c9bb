import ControlAPI
import Glibc
import NIOCore

/// Keeps one runtime process going: starts it, gives it back the registrations, notices when it dies or hangs, starts it
/// again.
///
/// ```
/// down ──start──▶ restoring ──all groups answered──▶ up
///   ▲                │ crashes, or is killed twice: the group being restored is quarantined
///   └────────────────┴──────────── dies ──────────────┘
/// ```
final class RuntimeSupervisor: @unchecked Sendable {  // Confined to its event loop.
    enum Phase { case down, restoring, up, stopped }

    private let loop: any EventLoop
    /// How long one request may keep the runtime busy, in seconds of its CPU time.
    var hangTimeoutSeconds: Int64
    private(set) var phase = Phase.down
    private(set) var connection: RuntimeConnection?
    /// Deaths since we started.
    private(set) var restarts = 0
    /// Deaths in a row of runtimes that lived less than `quickDeath`.
    private var quickDeaths = 0
    private var startTime = ContinuousClock.now
    /// Groups whose turn has not come.
    private var toRestore: ArraySlice<RestorePlan> = []
    /// How many groups are being read or restored.
    private var groupsUnderWay = 0
    /// Ids of the groups that the runtime has been asked for, oldest first. It works on the first one: it takes them in this
    /// order, and gets the next object when it has answered.
    private var asked: [[UInt32]] = []
    /// What was being restored when the last runtime died, which tells nothing of it the first time: somebody has killed it,
    /// or it simulated, too.
    private var suspectIDs: [UInt32] = []
    /// When the ping that has not been answered was sent, with the runtime's CPU time then.
    private var unanswered: (time: ContinuousClock.Instant, cpuSeconds: Double)?
    /// What ops of congestion controls have cost, as of the latest answer to a ping.
    private(set) var ops: [OpRecord] = []
    /// We have killed it ourselves.
    private var hasHung = false
    /// We have killed it for no fault of what it was restoring.
    private var isRenewed = false

    private static let quickDeath = Duration.seconds(10)
    private static let pingInterval = TimeAmount.seconds(5)
    /// The CPU time that a runtime may take, all threads together, before it answers a ping: on a busy machine the one that
    /// answers has to wait for a processor. One that takes none may be silent for `hangTimeoutSeconds`.
    private static let silenceCPUSeconds = 30.0
    /// How many times the CPU time that a request may take it may wait: for a processor, or threads that help.
    private static let stallFactor: Int64 = 10
    /// Groups that are read, or wait, while the runtime works on another, so that it need not wait for the disk.
    private static let groupsAhead = 4

    /// What a runtime is told before anything else.
    var settings: () -> RuntimeSettings? = { nil }
    /// What is to be restored, asked for at each start.
    var plan: () -> [RestorePlan] = { [] }
    var onEvent: (HostEvent, Int64?) -> Void = { _, _ in }
    /// Answers of a restore: what is back, and what is not.
    var onRestored: (RestoreReply) -> Void = { _ in }
    /// What was being restored when the runtime died.
    var onQuarantine: ([UInt32], String) -> Void = { _, _ in }
    /// Also whether it was being filled.
    var onDeath: (RuntimeEnd, Bool) -> Void = { _, _ in }
    /// What else the runtime may have died of than what was being restored.
    var otherCause: (RuntimeEnd) -> OtherCause = { _ in .none }
    enum OtherCause { case none, possible, certain }
    /// It takes requests that need not wait for what is restored.
    var onRestoring: () -> Void = {}
    /// The runtime is about to be killed over this run, by serial.
    var onStuckRun: (Int64) -> Void = { _ in }
    var onUp: () -> Void = {}

    struct RestorePlan: Sendable {
        var ids: [UInt32]
        /// Not before all that come earlier have been answered.
        var isFirstOfBatch: Bool
        /// Reads the object; nil: it cannot be read, which has been dealt with.
        var request: @Sendable () -> EventLoopFuture<RestoreRequest?>
    }

    struct RestoreRequest: Sendable {
        var parameters: JSONValue
        var object: [UInt8]

        init?(_ parameters: RestoreParameters, _ object: [UInt8]) {
            guard let json = try? JSONValue(encoding: parameters) else { return nil }
            self.parameters = json
            self.object = object
        }
    }

    init(loop: any EventLoop, hangTimeoutSeconds: Int64) {
        self.loop = loop
        self.hangTimeoutSeconds = hangTimeoutSeconds
    }

    /// It is not known why the last runtime died while it was being filled: this one does nothing else meanwhile.
    var isWary: Bool { !suspectIDs.isEmpty }

    var pid: Int32? { phase == .up ? connection?.process.pid : nil }

    func start() {
        guard phase != .stopped else { return }
        startTime = .now
        let process: RuntimeProcess
        do { process = try RuntimeProcess.start() } catch {
            return died(RuntimeEnd(error))
        }
        let connection = RuntimeConnection(process)
        self.connection = connection
        connection.onEvent = { [weak self] in self?.onEvent($0, $1) }
        connection.onDeath = { [weak self] in self?.died($0) }
        connection.start(on: loop).whenComplete { result in
            guard self.connection === connection, self.phase == .down else { return }
            switch result {
            case .success:
                self.phase = .restoring
                self.configure()
                self.ping()
                self.onRestoring()
                self.toRestore = self.plan()[...]
                self.restoreMore()
            case .failure: connection.signal(SIGKILL)
            }
        }
    }

    /// Tells the runtime of the configuration; requests that are sent later are judged by it.
    func configure() {
        guard let settings = settings(), let parameters = try? JSONValue(encoding: settings) else { return }
        connection?.send(RuntimeVerb.configure.rawValue, parameters) { _, _, _ in }
    }

    /// The runtime restores one group after the other, so that a death tells which one it was.
    private func restoreMore() {
        guard phase == .restoring, let connection else { return }
        while let group = toRestore.first, groupsUnderWay < Self.groupsAhead,
            groupsUnderWay == 0 || !group.isFirstOfBatch
        {
            toRestore = toRestore.dropFirst()
            groupsUnderWay += 1
            group.request().whenSuccess { request in
                guard self.phase == .restoring, self.connection === connection else { return }
                guard let request else { return self.groupEnded() }
                self.asked.append(group.ids)
                connection.send(
                    RuntimeVerb.restore.rawValue, request.parameters, object: request.object
                ) { reply, _, _ in
                    self.asked.removeFirst()
                    self.onRestored(RestoreReply(reply, ids: group.ids))
                    self.groupEnded()
                }
            }
        }
        // What could not be read may have ended the last group in here.
        guard groupsUnderWay == 0, phase == .restoring else { return }
        connection.send(RuntimeVerb.restored.rawValue, [:]) { _, _, _ in }
        phase = .up
        suspectIDs = []
        onUp()
    }

    private func groupEnded() {
        groupsUnderWay -= 1
        restoreMore()
    }

    private func died(_ end: RuntimeEnd) {
        guard phase != .stopped else { return }
        connection?.close()
        connection = nil
        let wasRestoring = phase == .restoring
        phase = .down
        unanswered = nil
        restarts += 1
        // Before calls are taken back from the dead runtime.
        let otherCause = otherCause(end)
        let restoringIDs = isRenewed || otherCause == .certain ? [] : asked.first ?? []
        isRenewed = false
        asked = []
        groupsUnderWay = 0
        onDeath(end, wasRestoring)
        if !restoringIDs.isEmpty {
            if end.isFromOutside || otherCause == .possible, !hasHung, suspectIDs != restoringIDs {
                suspectIDs = restoringIDs
            } else {
                onQuarantine(restoringIDs, end.text)
            }
        }
        hasHung = false
        quickDeaths = ContinuousClock.now - startTime < Self.quickDeath ? quickDeaths + 1 : 0
        // The first ones at once; a runtime that cannot even start must not keep the machine busy.
        let delay = quickDeaths <= 3 ? 0 : min(5000, 100 << min(quickDeaths, 10))
        loop.scheduleTask(in: .milliseconds(Int64(delay))) { self.start() }
    }

    // MARK: Health

    private func ping() {
        guard phase == .up || phase == .restoring, let connection else { return }
        if let sent = unanswered {
            let used = connection.process.cpuSeconds - sent.cpuSeconds
            let waited = (ContinuousClock.now - sent.time).components.seconds
            if used >= Self.silenceCPUSeconds || waited >= hangTimeoutSeconds {
                return hung("it did not answer for \(waited) s")
            }
        } else {
            sendPing(connection)
        }
        loop.scheduleTask(in: Self.pingInterval) { [self] in
            if self.connection === connection { ping() }
        }
    }

    private func sendPing(_ connection: RuntimeConnection) {
        unanswered = (.now, connection.process.cpuSeconds)
        connection.send(RuntimeVerb.ping.rawValue, [:]) { [self] reply, _, _ in
            unanswered = nil
            ops = (try? reply.parameters["ops"]?.decode()) ?? []
            let busy = reply.parameters["busy_s"]?.integer ?? 0
            if busy > hangTimeoutSeconds {
                return hung("one request kept it busy for \(busy) s of CPU time")
            }
            let stalled = reply.parameters["stalled_s"]?.integer ?? 0
            if stalled / Self.stallFactor > hangTimeoutSeconds {
                return hung("one request has not come to its end for \(stalled) s")
            }
            if let serial = reply.parameters["run"]?.integer,
                let seconds = reply.parameters["run_s"]?.integer,
                seconds > hangTimeoutSeconds
            {
                onStuckRun(serial)
                hung(
                    "a simulation does not get on, at \(seconds) s of CPU time in one step", isRunsFault: true
                )
            }
        }
    }

    /// - Parameter isRunsFault: so not the fault of what is being restored.
    private func hung(_ why: String, isRunsFault: Bool = false) {
        guard let connection else { return }
        onEvent(HostEvent("restore", reason: why, text: "the runtime hangs and is killed: \(why)"), nil)
        if isRunsFault { isRenewed = true } else { hasHung = true }
        connection.signal(SIGKILL)
    }

    /// Puts another runtime in this one's place, filled from the book as it is then. Nothing is asked of this one any more.
    func renew(_ why: String) {
        guard phase == .up || phase == .restoring, let connection else { return }
        onEvent(HostEvent("restore", reason: why, text: "the runtime is replaced: \(why)"), nil)
        phase = .down
        isRenewed = true
        connection.signal(SIGKILL)
    }

    /// The runtime talks nonsense: what ran in it has damaged it.
    func endDamaged() {
        isRenewed = true
        connection?.signal(SIGKILL)
    }

    /// Ends the runtime, for good. Its socket's end tells it.
    func stop() {
        phase = .stopped
        guard let connection else { return }
        connection.close()
        connection.signal(SIGTERM)
    }
}
