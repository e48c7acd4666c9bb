import ControlAPI
import Glibc
import NIOCore

/// Runs of scenarios, as jobs. The runtime computes them; the broker knows them by id, so that they survive its death:
/// they are deterministic, and a run that was interrupted is simply begun again.
///
/// ```
/// queued ──next of its priority, and there is room──▶ running ──▶ done, failed
///    └──────────────── cancelled ◀── at an event boundary ┘
/// ```
extension Broker {
    func startRun(_ pending: PendingCall) {
        guard runs.hasRoom else {
            return pending.finish(
                Reply(
                    Refusal(
                        "busy", errno: Int(EAGAIN), "\(runs.queuedCount) simulations wait already",
                        reason: "'jobs.queue' of the configuration is \(runs.policy.queue)")))
        }
        let parameters = pending.call.parameters
        let run = SimulationRun(
            id: runs.nextID(), call: pending, scenario: parameters["file"]?.string ?? "scenario",
            priority: Int(parameters["priority"]?.integer ?? 0))
        run.isJob = parameters["detach"] == .bool(true)
        if run.isJob {
            do throws(Refusal) { try admitJob(run) } catch { return refuse(pending, error) }
        }
        pending.run = run
        runs.add(run)
        if run.isJob { return keep(run, pending) }
        startNextRuns()
        if run.isQueued { tellProgress(run) }
    }

    /// A job is begun, and its id told, once it is on disk.
    private func keep(_ run: SimulationRun, _ pending: PendingCall) {
        run.isHeld = true
        keepJob(run, pending.call.parameters).whenComplete { [self] result in
            // Its client has gone meanwhile.
            guard !run.isOver else { return }
            if case .failure(let error) = result {
                runs.drop(run)
                return notStored(pending, error)
            }
            run.isHeld = false
            pending.finish(Reply(["run": (try? JSONValue(encoding: run.status)) ?? [:]]))
            // From here on the job is nobody's but the daemon's.
            pending.client = nil
            startNextRuns()
        }
    }

    /// - Throws: EAGAIN if the uid has jobs of so many bytes that this one would be too much.
    private func admitJob(_ run: SimulationRun) throws(Refusal) {
        let bytes = runs.jobByteCount(of: run.uid) + run.byteCount
        guard !rules.access.isUnlimited(run.uid), bytes > SimulationRun.jobBytesMax else { return }
        throw Refusal(
            "limit", errno: Int(EAGAIN), "the jobs of uid \(run.uid) are too large together",
            reason: "their scenarios may have \(SimulationRun.jobBytesMax >> 20) MiB")
    }

    /// Takes runs out of the queue while there is room.
    func startNextRuns() {
        while let run = runs.next, let pending = run.call {
            run.status.state = "running"
            limitTime(of: run)
            record(
                HostEvent(
                    "sim-start", id: run.status.id, name: run.status.scenario,
                    text: "simulation \(run.status.id) of '\(run.status.scenario)' starts"),
                peer: pending.peer, priority: .info)
            pending.runtimeParameters = pending.call.parameters.setting(
                "run", to: .integer(Int64(run.status.id)))
            submit(pending)
        }
    }

    private func limitTime(of run: SimulationRun) {
        guard let seconds = runs.policy.wallTimeSeconds else { return }
        run.wallTimeSeconds = seconds
        run.alarm = loop.scheduleTask(in: .seconds(Int64(seconds))) { [self, weak run] in
            guard let run, run.isRunning else { return }
            run.isTooLate = true
            cancel(run)
        }
    }

    func progress(_ pending: PendingCall, _ reply: Reply) {
        guard let run = pending.run, var status = try? reply.parameters.decode(as: RunReply.self).progress
        else {
            return
        }
        if let uses = try? (reply.parameters["uses"] ?? []).decode(as: [UInt32].self), !uses.isEmpty {
            run.uses = uses
        }
        status.id = run.status.id
        status.state = run.status.state
        status.priority = run.status.priority
        run.status = status
        tellProgress(run)
    }

    private func tellProgress(_ run: SimulationRun) {
        let listeners = run.watchers + (run.call.map { [$0] } ?? [])
        guard listeners.contains(where: { $0.client != nil && $0.call.more }),
            let progress = try? JSONValue(encoding: RunReply(progress: run.status))
        else { return }
        for listener in listeners where listener.call.more {
            listener.client?.stream(Reply(progress, continues: true))
        }
    }

    func endRun(_ pending: PendingCall, _ reply: Reply) {
        guard let run = pending.run, !run.isOver else { return pending.finish(reply) }
        var reply = reply
        run.alarm?.cancel()
        if run.isTooLate, reply.error != nil {
            reply = Reply(
                Refusal(
                    "timeout", errno: Int(ETIME), "simulation \(run.status.id) took too long",
                    reason: "'jobs.wall-time' is \(run.wallTimeSeconds) s",
                    suggestion: "simulate a shorter time, or fewer connections"))
        }
        if reply.error == nil {
            run.result = reply.parameters["result"]
            run.status.state = "done"
            run.status.atS = run.status.durationS
        } else {
            run.failure = Refusal(wireError: reply.error ?? "", reply.parameters)
            run.status.state = run.isCancelled && !run.isTooLate ? "cancelled" : "failed"
        }
        runs.end(run, at: wallClock)
        let stored = keepResult(of: run)
        forget(runs.forgetOld(at: wallClock))
        record(
            HostEvent(
                "sim-end", id: run.status.id, name: run.status.scenario, errno: run.failure?.errno,
                reason: run.failure?.text, durationUs: pending.durationMicroseconds,
                text: "simulation \(run.status.id) of '\(run.status.scenario)' is \(run.status.state)"),
            peer: pending.peer, priority: .info)
        let listeners = [pending] + run.watchers
        run.watchers = []
        startNextRuns()
        guard run.isJob else {
            for call in listeners { call.finish(reply) }
            return
        }
        // How a job has ended stays so, once anybody has been told.
        run.storing = stored
        stored.whenComplete { [reply] _ in
            run.storing = nil
            for call in listeners { call.finish(reply) }
        }
    }

    func listRuns(_ pending: PendingCall) {
        forget(runs.forgetOld(at: wallClock))
        let known = runs.runs.filter { !$0.isHeld }.map(\.status)
        pending.finish(Reply((try? JSONValue(encoding: RunsReply(runs: known))) ?? [:]))
    }

    func runResult(_ pending: PendingCall) {
        guard let run = selectedRun(pending) else { return }
        guard run.isOver else {
            return pending.finish(
                Reply(
                    Refusal("busy", errno: Int(EAGAIN), "simulation \(run.status.id) is \(run.status.state)"))
            )
        }
        answer(pending, endingOf: run)
    }

    private func answer(_ pending: PendingCall, endingOf run: SimulationRun) {
        if let storing = run.storing {
            return storing.whenComplete { [self] _ in answer(pending, endingOf: run) }
        }
        if let result = run.result { return pending.finish(Reply(["result": result])) }
        if let failure = run.failure { return pending.finish(Reply(failure)) }
        records.json(.runs, run.status.id).whenComplete { result in
            pending.finish(Reply(result.map { ["result": $0] }))
        }
    }

    /// Answered like the call that began the run.
    func watchRun(_ pending: PendingCall) {
        guard pending.call.more else { return pending.finish(Reply(.expectedMore)) }
        guard let run = selectedRun(pending) else { return }
        guard !run.isOver else { return answer(pending, endingOf: run) }
        run.watchers.append(pending)
    }

    func cancelRun(_ pending: PendingCall) {
        guard let run = selectedRun(pending) else { return }
        guard !run.isOver else {
            return pending.finish(
                Reply(
                    Refusal(
                        "invalid", errno: Int(EINVAL),
                        "simulation \(run.status.id) is \(run.status.state) already")))
        }
        cancel(run)
        let stored = run.storing ?? (run.isJob && !run.isOver ? keepCancellation(of: run) : nil)
        (stored ?? loop.makeSucceededVoidFuture()).whenComplete { _ in
            pending.finish(Reply(["run": (try? JSONValue(encoding: run.status)) ?? [:]]))
        }
    }

    private func cancel(_ run: SimulationRun) {
        run.isCancelled = true
        let refusal = Reply(Refusal.cancelledRun)
        if run.isQueued, let pending = run.call { return endRun(pending, refusal) }
        // It waits for the runtime, which is being restarted.
        if let index = queue.firstIndex(where: { $0.run === run }) {
            return endRun(queue.remove(at: index), refusal)
        }
        guard let serial = underWay.first(where: { $0.value.run === run })?.key else { return }
        supervisor.connection?.send(RuntimeVerb.cancel.rawValue, ["serial": .integer(serial)]) { _, _, _ in }
    }

    /// A run ends with its connection, unless it is detached; who watches one ends nothing.
    func abandonRuns(of client: ClientConnection) {
        for run in runs.runs where !run.isOver {
            run.watchers.removeAll { $0.client === client }
            if let caller = run.call?.client, caller === client { cancel(run) }
        }
    }

    private func selectedRun(_ pending: PendingCall) -> SimulationRun? {
        guard let id = (try? pending.call.parameters.decode(as: Selector.self))?.id else {
            pending.finish(Reply(.invalidParameter("id")))
            return nil
        }
        guard let run = runs[id], !run.isHeld else {
            pending.finish(
                Reply(Refusal("not-found", errno: Int(ENOENT), "there is no simulation with id \(id)")))
            return nil
        }
        return run
    }
}
