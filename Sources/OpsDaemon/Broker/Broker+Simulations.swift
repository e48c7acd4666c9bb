import ControlAPI
import Glibc

/// Runs of scenarios. The runtime computes them; the broker knows them by id, so that they survive its death.
extension Broker {
    static let runsMax = 256

    func startRun(_ pending: PendingCall) {
        guard runs.runningCount < Self.runsMax else {
            return pending.finish(
                Reply(
                    Refusal("busy", errno: Int(EAGAIN), "\(Self.runsMax) simulations are under way already")))
        }
        let name = pending.call.parameters["file"]?.string ?? "scenario"
        let run = runs.add(scenario: name)
        pending.run = run
        record(
            HostEvent(
                "sim-start", id: run.status.id, name: name,
                text: "simulation \(run.status.id) of '\(name)' starts"),
            peer: pending.peer, priority: .info)
        submit(pending)
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
        run.status = status
        guard pending.call.more, let progress = try? JSONValue(encoding: RunReply(progress: status)) else {
            return
        }
        pending.client?.stream(Reply(progress, continues: true))
    }

    func endRun(_ pending: PendingCall, _ reply: Reply) {
        guard let run = pending.run, run.isRunning else { return pending.finish(reply) }
        if reply.error == nil {
            run.result = reply.parameters["result"]
            run.status.state = "done"
            run.status.atS = run.status.durationS
        } else {
            run.failure = Refusal(wireError: reply.error ?? "", reply.parameters)
            run.status.state = run.isCancelled ? "cancelled" : "failed"
        }
        runs.trim()
        record(
            HostEvent(
                "sim-end", id: run.status.id, name: run.status.scenario, errno: run.failure?.errno,
                reason: run.failure?.text, durationUs: pending.durationMicroseconds,
                text: "simulation \(run.status.id) of '\(run.status.scenario)' is \(run.status.state)"),
            peer: pending.peer, priority: .info)
        pending.finish(reply)
    }

    func listRuns(_ pending: PendingCall) {
        pending.finish(Reply((try? JSONValue(encoding: RunsReply(runs: runs.runs.map(\.status)))) ?? [:]))
    }

    func runResult(_ pending: PendingCall) {
        guard let run = selectedRun(pending) else { return }
        if let result = run.result { return pending.finish(Reply(["result": result])) }
        pending.finish(
            Reply(
                run.failure
                    ?? Refusal("busy", errno: Int(EAGAIN), "simulation \(run.status.id) is still running")))
    }

    func cancelRun(_ pending: PendingCall) {
        guard let run = selectedRun(pending) else { return }
        guard run.isRunning else {
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
        if let index = queue.firstIndex(where: { $0.run === run }) {
            let pending = queue.remove(at: index)
            return endRun(
                pending, Reply(Refusal("cancelled", errno: Int(ECANCELED), "the simulation was cancelled")))
        }
        guard let serial = underWay.first(where: { $0.value.run === run })?.key else { return }
        supervisor.connection?.send(RuntimeVerb.cancel.rawValue, ["serial": .integer(serial)]) { _, _, _ in }
    }

    /// A run ends when its connection does.
    func abandonRuns(of client: ClientConnection) {
        let abandoned = (queue + underWay.values).filter { $0.client === client }.compactMap(\.run)
        for run in abandoned { cancel(run) }
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
