import ControlAPI
import Foundation
import OpsHost
import Synchronization

/// Followers of ring buffers, each on a thread of its own that sleeps between two looks.
final class FollowThreads: Sendable {
    /// Each takes a thread.
    private static let countMax = 64

    private let host: RuntimeHost
    private let writer: FrameWriter
    /// Serials of those that go on.
    private let active = Mutex<Set<Int64>>([])

    init(host: RuntimeHost, writer: FrameWriter) {
        self.host = host
        self.writer = writer
    }

    func start(_ request: RuntimeRequest) {
        let hasRoom = active.withLock { active in
            guard active.count < Self.countMax else { return false }
            active.insert(request.serial)
            return true
        }
        guard hasRoom else {
            return send(
                request, Reply(Refusal("busy", errno: 11, "\(Self.countMax) followers are there already")))
        }
        let thread = Thread { [self] in run(request) }
        thread.name = "follow"
        thread.start()
    }

    /// Nobody listens any more.
    func cancel(_ serial: Int64) { _ = active.withLock { $0.remove(serial) } }

    private func run(_ request: RuntimeRequest) {
        defer { cancel(request.serial) }
        do throws(Refusal) {
            let parameters: FollowParameters = try RuntimeHost.decode(request.parameters)
            try host.follow(parameters) { [self] in
                active.withLock { !$0.contains(request.serial) }
            } _: { [self] record in
                guard let reply = try? JSONValue(encoding: FollowReply(record: record)) else { return }
                send(request, Reply(reply, continues: true))
            }
            send(request, Reply([:]))
        } catch {
            send(request, Reply(error))
        }
    }

    private func send(_ request: RuntimeRequest, _ reply: Reply) {
        writer.send(.answer(serial: request.serial, reply, added: [], removed: []))
    }
}
