package import ControlAPI
import Dispatch
import Foundation
import Netsim
import OpsCore
import OpsHost
import Synchronization

/// Runs what is missing in a database, on several threads that share one runtime: objects are verified and compiled once.
package struct SweepRunner: Sendable {
    private let sweep: Sweep
    private let database: SweepDatabase
    private let host: RuntimeHost

    package struct Progress: Sendable {
        package var done: Int
        package var all: Int
    }

    /// Registers the objects.
    ///
    /// - Throws: ENOENT for an object that is given for nothing, and for a congestion control that none has.
    package init(_ sweep: Sweep, _ inputs: SweepInputs, database: SweepDatabase) throws(Refusal) {
        (self.sweep, self.database) = (sweep, database)
        host = try RuntimeHost()
        let needed = try refusing { () throws(OpsError) in try sweep.controlsNeeded() }
        for object in inputs.objects {
            try host.registerNeeded(by: needed, object.bytes, name: object.name, user: "the sweep")
        }
        let known = try host.list(Selector()).map(\.opsName)
        guard let missing = needed.first(where: { !known.contains($0) }) else { return }
        throw Refusal(
            "not-found", errno: 2, "there is no congestion control '\(missing)'",
            reason: "the sweep uses it, and it is not built in", suggestion: "--object FILE.bpf.o")
    }

    /// Blocks until nothing is missing, or `progress` has answered false.
    ///
    /// - Parameter progress: called a few times a second on this thread.
    /// - Returns: false if it was ended early.
    /// - Throws: what the database throws. A run that fails is recorded and does not stop the others.
    package func run(workers: Int, progress: (Progress) -> Bool) throws(Refusal) -> Bool {
        let pending = try database.unfinished()
        let all = try database.counts().all
        let pool = Pool(pending)
        let group = DispatchGroup()
        for _ in 0..<max(1, min(workers, pending.count)) {
            group.enter()
            Thread {
                work(pool)
                group.leave()
            }.start()
        }
        var isOver = false
        var recorded = all - pending.count
        var failure: Refusal?
        while !isOver {
            isOver = group.wait(timeout: .now() + .milliseconds(200)) == .success
            let outcomes = pool.takeFinished()
            do throws(Refusal) { if failure == nil { try database.record(outcomes) } } catch {
                failure = error
                pool.stop()
            }
            recorded += outcomes.count
            if !progress(Progress(done: recorded, all: all)) { pool.stop() }
        }
        if let failure { throw failure }
        return !pool.isStopped || pool.isEmpty
    }

    private func work(_ pool: Pool) {
        while let number = pool.next() {
            let result: Result<[SweepFigure], Refusal>
            do throws(Refusal) {
                result = .success(try figures(of: sweep.run(number), pool))
            } catch {
                // One that was ended early is still to be done.
                if pool.isStopped { return }
                result = .failure(error)
            }
            pool.finish(SweepOutcome(run: number, result: result))
        }
    }

    private func figures(of run: Sweep.Run, _ pool: Pool) throws(Refusal) -> [SweepFigure] {
        let scenario = try refusing { () throws(OpsError) in try sweep.scenario(of: run) }
        let result = try host.simulate(ParsedScenario(scenario: scenario)) { _ in !pool.isStopped }
        return SweepFigures.of(result, scenario)
    }
}

/// What the workers share: the runs to be done, and what has come of those that are.
private final class Pool: Sendable {
    private let numbers: [Int]
    private let taken = Atomic<Int>(0)
    private let stopped = Atomic<Bool>(false)
    private let finished = Mutex<[SweepOutcome]>([])

    init(_ numbers: [Int]) { self.numbers = numbers }

    var isStopped: Bool { stopped.load(ordering: .relaxed) }
    /// Nothing is left to be taken.
    var isEmpty: Bool { taken.load(ordering: .relaxed) >= numbers.count }

    func stop() { stopped.store(true, ordering: .relaxed) }

    func next() -> Int? {
        guard !isStopped else { return nil }
        let index = taken.wrappingAdd(1, ordering: .relaxed).oldValue
        return index < numbers.count ? numbers[index] : nil
    }

    func finish(_ outcome: SweepOutcome) { finished.withLock { $0.append(outcome) } }

    func takeFinished() -> [SweepOutcome] {
        finished.withLock { outcomes in
            defer { outcomes = [] }
            return outcomes
        }
    }
}
