import Glibc

/// What can go wrong between us and the daemon, apart from its refusals.
package enum ClientError: Error, Equatable, Sendable {
    /// Nobody answers at the socket, or not varlink: exit code 3.
    case unreachable(path: String, reason: String, suggestion: String?)
    /// The daemon said no: exit code 1.
    case refused(Refusal)

    package var refusal: Refusal {
        switch self {
        case .refused(let refusal): refusal
        case .unreachable(let path, let reason, let suggestion):
            Refusal(
                "unreachable", errno: Int(ECONNREFUSED), "cannot reach the daemon at '\(path)'",
                reason: reason,
                suggestion: suggestion)
        }
    }
}

/// A blocking varlink client for one connection: a call, then its replies.
package final class Client {
    private let path: String
    private let socket: UnixSocket
    private var frames = FrameSplitter(limit: Int(Int32.max))

    package init(path: String) throws(ClientError) {
        self.path = path
        do {
            socket = try UnixSocket.connect(to: path)
        } catch {
            let suggestion: String? =
                switch error.errno {
                case ENOENT, ECONNREFUSED: "start it: 'systemctl start opsd', or 'opsd --socket \(path)'"
                case EACCES: "the socket belongs to another user: join its group, or run as root"
                default: nil
                }
            throw .unreachable(path: path, reason: "\(error.call): \(error.text)", suggestion: suggestion)
        }
    }

    /// Calls a method and returns the parameters of its (last) reply; earlier ones go to `progress`.
    package func call(
        _ call: Call, progress: (JSONValue) -> Void = { _ in }
    ) throws(ClientError) -> JSONValue {
        try self.call(frame: call.json.frame, progress: progress)
    }

    /// The same, with the call's frame (`JSONValue.frame`) made before.
    package func call(
        frame: [UInt8], progress: (JSONValue) -> Void = { _ in }
    ) throws(ClientError) -> JSONValue {
        do { try socket.send(frame) } catch {
            // The daemon may have answered before it stopped reading (a request that is too long).
            if let reply = try? receive(), let refusal = refusal(of: reply) { throw .refused(refusal) }
            throw lost("\(error.call): \(error.text)")
        }
        while true {
            let reply = try receive()
            if let refusal = refusal(of: reply) { throw .refused(refusal) }
            if !reply.continues { return reply.parameters }
            progress(reply.parameters)
        }
    }

    private func refusal(of reply: Reply) -> Refusal? {
        reply.error.map { Refusal(wireError: $0, reply.parameters) }
    }

    private func receive() throws(ClientError) -> Reply {
        while true {
            do {
                if let frame = try frames.next() { return try Reply(frame: frame) }
                let bytes = try socket.receive()
                guard !bytes.isEmpty else { throw lost("the connection was closed") }
                frames.append(bytes)
            } catch let error as ClientError {
                throw error
            } catch let error as SystemFailure {
                throw lost("\(error.call): \(error.text)")
            } catch {
                throw lost("the answer is not varlink: \(error)")
            }
        }
    }

    private func lost(_ reason: String) -> ClientError {
        .unreachable(
            path: path, reason: reason, suggestion: "see 'journalctl -u opsd' for what happened to it")
    }
}
