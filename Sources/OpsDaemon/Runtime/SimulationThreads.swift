import CShim
import ControlAPI
import Foundation
import OpsHost
import Synchronization

/// Simulations, each on a thread of its own; the broker sees to it that they are not too many.
///
/// They yield to everything else: a request is answered at once also while all processors simulate.
final class SimulationThreads: Sendable {
    private let host: RuntimeHost
    private let writer: FrameWriter
    private let cancelled = Mutex<Set<Int64>>([])
    /// The present step of each run, by serial.
    private let steps = Mutex<[Int64: ThreadStep]>([:])
    /// How often a client hears of progress.
    private static let progressInterval = Duration.milliseconds(100)
    /// Of the threads that simulate, and of those that they start.
    private static let niceness: CInt = 10

    init(host: RuntimeHost, writer: FrameWriter) {
        self.host = host
        self.writer = writer
    }

    func start(_ request: RuntimeRequest) {
        let thread = Thread { [self] in
            let isNice = ThreadPriority.giveWay(niceness: Self.niceness)
            ops_work_on(request.serial)
            run(request, yields: !isNice)
            steps.withLock { $0[request.serial] = nil }
            _ = cancelled.withLock { $0.remove(request.serial) }
        }
        thread.name = "simulation"
        thread.stackSize = WorkThread.stackByteCount
        thread.start()
    }

    /// The run ends at its next event boundary.
    func cancel(_ serial: Int64) {
        _ = cancelled.withLock { $0.insert(serial) }
    }

    /// The run whose present step has taken the most CPU time, and how many seconds of it; nil: there is none.
    var slowest: (serial: Int64, seconds: Int64)? {
        let taken = steps.withLock { $0 }.compactMapValues(\.cpuSeconds)
        return taken.max { $0.value < $1.value }.map { ($0.key, Int64($0.value)) }
    }

    private func isCancelled(_ serial: Int64) -> Bool { cancelled.withLock { $0.contains(serial) } }

    /// - Parameter yields: the thread could not be made nice, so it gives way after each step.
    private func run(_ request: RuntimeRequest, yields: Bool) {
        do throws(Refusal) {
            let parameters: RunParameters = try RuntimeHost.decode(request.parameters)
            let scenario = try host.scenario(
                parameters.scenario, file: parameters.file ?? "scenario", files: parameters.files ?? [:])
            host.awaitRegistrations(of: scenario) { isCancelled(request.serial) }
            report(request, scenario)
            let last = Mutex(ContinuousClock.now)
            let result = try host.simulate(
                scenario, timing: parameters.timing ?? false, live: parameters.live ?? false,
                uid: request.uid, id: parameters.run
            ) { [self] status in
                steps.withLock { $0[request.serial] = ThreadStep() }
                if yields { sched_yield() }
                let isDue = last.withLock { last in
                    guard ContinuousClock.now - last >= Self.progressInterval else { return false }
                    last = .now
                    return true
                }
                SimulationThreads.crashIfTold(parameters.scenario)
                if isDue {
                    if let progress = try? JSONValue(encoding: RunReply(progress: status)) {
                        send(request, Reply(progress, continues: true))
                    }
                }
                return !isCancelled(request.serial)
            }
            send(request, Reply(["result": result]))
        } catch {
            send(request, Reply(error))
        }
    }

    /// A test's way to a run that no runtime survives: one with the `cc` that $OPSD_TEST_CRASH_IN_RUN names.
    private static func crashIfTold(_ scenario: String) {
        #if DEBUG
            guard let victim = environment("OPSD_TEST_CRASH_IN_RUN"), scenario.contains("cc: \(victim)")
            else { return }
            abort()
        #endif
    }

    /// First of all, which registrations are used: if we die, they are suspects.
    private func report(_ request: RuntimeRequest, _ scenario: ParsedScenario) {
        let status = RunStatus(
            id: 0, scenario: scenario.name, state: "running", atS: 0, durationS: scenario.durationSeconds)
        guard let progress = try? JSONValue(encoding: RunReply(progress: status)) else { return }
        let uses = host.registrationsUsed(by: scenario).map { JSONValue.integer(Int64($0)) }
        send(request, Reply(progress.setting("uses", to: .array(uses)), continues: true))
    }

    private func send(_ request: RuntimeRequest, _ reply: Reply) {
        writer.send(.answer(serial: request.serial, reply, added: [], removed: []))
    }
}
