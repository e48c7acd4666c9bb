import ControlAPI
import Glibc

/// Runs of scenarios, as jobs. The runtime computes them; the broker knows them by id, so that they survive its death:
/// they are deterministic, and a run that was interrupted is simply begun again.
///
/// ```
/// queued ──next of its priority, and there is room──▶ running ──▶ done, failed
///    └──────────────── cancelled ◀── at an event boundary ┘
/// ```
extension Broker {
    func startRun(_ pending: PendingCall) {
        guard runs.queuedCount < runs.policy.queuedMax else {
            return pending.finish(
                Reply(
                    Refusal(
                        "busy", errno: Int(EAGAIN),
                        "\(runs.policy.queuedMax) simulations wait already")))
        }
        let parameters = pending.call.parameters
        let run = runs.add(
            pending, scenario: parameters["file"]?.string ?? "scenario",
            priority: Int(parameters["priority"]?.integer ?? 0))
        pending.run = run
        if parameters["detach"] == .bool(true) {
            pending.finish(Reply(["run": (try? JSONValue(encoding: run.status)) ?? [:]]))
            // From here on the job is nobody's but the daemon's.
            pending.client = nil
        }
        startNextRuns()
        if run.isQueued { tellProgress(run) }
    }

    /// Takes runs out of the queue while there is room.
    private func startNextRuns() {
        while let run = runs.next, let pending = run.call {
            run.status.state = "running"
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
        if reply.error == nil {
            run.result = reply.parameters["result"]
            run.status.state = "done"
            run.status.atS = run.status.durationS
        } else {
            run.failure = Refusal(wireError: reply.error ?? "", reply.parameters)
            run.status.state = run.isCancelled ? "cancelled" : "failed"
        }
        runs.keep(run)
        record(
            HostEvent(
                "sim-end", id: run.status.id, name: run.status.scenario, errno: run.failure?.errno,
                reason: run.failure?.text, durationUs: pending.durationMicroseconds,
                text: "simulation \(run.status.id) of '\(run.status.scenario)' is \(run.status.state)"),
            peer: pending.peer, priority: .info)
        for call in [pending] + run.watchers { call.finish(reply) }
        run.watchers = []
        startNextRuns()
    }

    func listRuns(_ pending: PendingCall) {
        runs.forgetOld()
        pending.finish(Reply((try? JSONValue(encoding: RunsReply(runs: runs.runs.map(\.status)))) ?? [:]))
    }

    func runResult(_ pending: PendingCall) {
        guard let run = selectedRun(pending) else { return }
        guard run.isOver else {
            return pending.finish(
                Reply(
                    Refusal("busy", errno: Int(EAGAIN), "simulation \(run.status.id) is \(run.status.state)"))
            )
        }
        pending.finish(ending(of: run))
    }

    private func ending(of run: SimulationRun) -> Reply {
        if let result = run.result { return Reply(["result": result]) }
        return Reply(run.failure ?? Refusal("internal", errno: Int(EIO), "the result is missing"))
    }

    /// Answered like the call that began the run.
    func watchRun(_ pending: PendingCall) {
        guard pending.call.more else { return pending.finish(Reply(.expectedMore)) }
        guard let run = selectedRun(pending) else { return }
        guard !run.isOver else { return pending.finish(ending(of: run)) }
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
        pending.finish(Reply(["run": (try? JSONValue(encoding: run.status)) ?? [:]]))
    }

    private func cancel(_ run: SimulationRun) {
        run.isCancelled = true
        let refusal = Reply(Refusal("cancelled", errno: Int(ECANCELED), "the simulation was cancelled"))
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
        guard let run = runs[id] else {
            pending.finish(
                Reply(Refusal("not-found", errno: Int(ENOENT), "there is no simulation with id \(id)")))
            return nil
        }
        return run
    }
}
