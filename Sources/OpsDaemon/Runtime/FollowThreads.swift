import ControlAPI
import Foundation
import OpsHost
import Synchronization

/// Followers of ring buffers, each on a thread of its own that sleeps until there are records.
final class FollowThreads: Sendable {
    /// Each takes a thread.
    private static let countMax = 64

    private let host: RuntimeHost
    private let writer: FrameWriter
    /// By serial those that go on: what wakes them.
    private let active = Mutex<[Int64: @Sendable () -> Void]>([:])

    init(host: RuntimeHost, writer: FrameWriter) {
        self.host = host
        self.writer = writer
    }

    func start(_ request: RuntimeRequest) {
        let hasRoom = active.withLock { active in
            guard active.count < Self.countMax else { return false }
            active[request.serial] = {}
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
    func cancel(_ serial: Int64) {
        let wake = active.withLock { $0.removeValue(forKey: serial) }
        wake?()
    }

    private func run(_ request: RuntimeRequest) {
        defer { cancel(request.serial) }
        do throws(Refusal) {
            let parameters: FollowParameters = try RuntimeHost.decode(host.owned(request).parameters)
            try host.follow(parameters) { [self] wake in
                active.withLock { if $0[request.serial] != nil { $0[request.serial] = wake } }
            } isOver: { [self] in
                active.withLock { $0[request.serial] == nil }
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
