import ControlAPI
import Glibc
import NIOCore
import Registry

/// Records of ejections, and finished and waiting runs, outlive the daemon.
extension Broker {
    /// What an earlier daemon has left; before anything is restored.
    func takeOver(_ kept: [RecordKeeper.Kind: RecordFolder.Contents]) {
        watch.lastEjectionNumber = kept[.ejections]?.highest ?? 0
        for record in kept[.ejections]?.records ?? [] {
            guard let ejection: EjectionRecord = content(.ejections, record) else { continue }
            records.remove(.ejections, watch.note(ejection, number: record.number))
        }
        runs.lastID = kept[.runs]?.highest ?? 0
        lastStoredRun = runs.lastID
        for record in kept[.runs]?.records ?? [] { takeOverRun(record) }
        forget(runs.forgetOld(at: wallClock))
        for record in kept[.trials]?.records ?? [] { takeOverTrial(record) }
    }

    /// The body of a record; nil: it cannot be had, and the journal says so.
    private func content<Value: Decodable>(_ kind: RecordKeeper.Kind, _ record: RecordFolder.Record) -> Value?
    {
        do {
            let body = try records.bodyNow(kind, record.number)
            return try JSONValue(parsing: body, limits: .reply).decode()
        } catch {
            let reason = Refusal.reason(of: error)
            journal.say("'\(kind.rawValue)/\(record.number)' cannot be used: \(reason)", priority: .error)
            return nil
        }
    }

    func keepEjection(_ ejection: EjectionRecord) {
        let number = watch.lastEjectionNumber + 1
        records.remove(.ejections, watch.note(ejection, number: number))
        guard let json = try? JSONValue(encoding: ejection) else { return }
        let header: JSONValue = ["id": .integer(Int64(ejection.id)), "name": .string(ejection.name)]
        sayUnlessStored(
            "the record of an ejection", records.put(.ejections, number, header, body: json.utf8()))
    }

    // MARK: Runs

    private func takeOverRun(_ record: RecordFolder.Record) {
        guard let header: RunHeader = try? record.header.decode() else { return }
        guard header.endedAt == nil else {
            return runs.add(SimulationRun(kept: header, byteCount: record.bodyByteCount))
        }
        // A job that was acknowledged, and had not come to its end.
        guard let parameters: JSONValue = content(.runs, record) else { return }
        let call = PendingCall(
            Call(Method.simulationRun.rawValue, parameters), object: nil, .simulationRun,
            peer: Peer(uid: header.uid), client: nil)
        let run = SimulationRun(
            id: record.number, call: call, scenario: header.status.scenario,
            priority: header.status.priority ?? 0)
        run.isJob = true
        call.run = run
        runs.add(run)
    }

    /// A job is kept before its id is told.
    func keepJob(_ run: SimulationRun, _ parameters: JSONValue) -> EventLoopFuture<Void> {
        store(run, RunHeader(run), body: parameters)
    }

    /// A run is over. Its result need not stay in memory once it is on disk.
    func keepResult(of run: SimulationRun) -> EventLoopFuture<Void> {
        guard records.isDurable else { return loop.makeSucceededVoidFuture() }
        let stored = store(run, RunHeader(run), body: run.result)
        sayUnlessStored("the result of simulation \(run.status.id)", stored)
        stored.whenSuccess { run.result = nil }
        return stored
    }

    /// A job that is being cancelled is not begun again, whatever happens until it has ended.
    func keepCancellation(of run: SimulationRun) -> EventLoopFuture<Void> {
        var header = RunHeader(run)
        header.status.state = "cancelled"
        header.endedAt = wallClock
        header.failure = .cancelledRun
        let stored = store(run, header, body: nil)
        sayUnlessStored("the end of simulation \(run.status.id)", stored)
        return stored
    }

    private func store(
        _ run: SimulationRun, _ header: RunHeader, body: JSONValue?
    ) -> EventLoopFuture<Void> {
        let id = run.status.id
        let json: JSONValue
        do { json = try JSONValue(encoding: header) } catch { return loop.makeFailedFuture(error) }
        let stored = records.put(.runs, id, json, body: body)
        stored.whenSuccess { [self] in lastStoredRun = max(lastStoredRun, id) }
        return stored
    }

    /// The highest id stays on disk, so that no later daemon gives it out again.
    ///
    /// - Parameter ids: of runs that the policy does not keep.
    func forget(_ ids: [UInt32]) {
        forgottenRuns.formUnion(ids)
        let gone = forgottenRuns.filter { $0 != lastStoredRun }
        forgottenRuns.subtract(gone)
        records.remove(.runs, gone.sorted())
    }

    private func sayUnlessStored(_ what: String, _ stored: EventLoopFuture<Void>) {
        stored.whenFailure { [self] error in
            guard !RecordKeeper.isWithdrawal(error) else { return }
            let reason = Refusal.reason(of: error)
            journal.say(
                "\(what) could not be stored, and ends with this process: \(reason)", priority: .error)
        }
    }
}

extension Refusal {
    static let cancelledRun = Refusal("cancelled", errno: Int(ECANCELED), "the simulation was cancelled")
}

/// What is kept of a run beside its result.
struct RunHeader: Codable {
    var status: RunStatus
    var uid: UInt32
    /// Seconds since 1970; nil: it is still to be run, and its body are the parameters.
    var endedAt: Int64?
    var failure: Refusal?

    init(_ run: SimulationRun) {
        status = run.status
        uid = run.uid
        endedAt = run.endedAt
        failure = run.failure
    }
}
