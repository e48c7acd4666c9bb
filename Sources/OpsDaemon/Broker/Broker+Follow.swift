import ControlAPI

/// Clients that follow a ring buffer, or what programs print: a call that ends with its connection.
extension Broker {
    func follow(_ pending: PendingCall) {
        guard pending.call.more else { return pending.finish(Reply(.expectedMore)) }
        submit(pending)
    }

    func abandonFollows(of client: ClientConnection) {
        let isTheirs = { (pending: PendingCall) in pending.method.isFollower && pending.client === client }
        queue.removeAll(where: isTheirs)
        for (serial, pending) in underWay where isTheirs(pending) {
            supervisor.connection?.send(RuntimeVerb.cancel.rawValue, ["serial": .integer(serial)]) {
                _, _, _ in
            }
        }
    }
}
