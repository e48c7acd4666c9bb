import ControlAPI
import Foundation
import OpsHost
import Synchronization

/// Followers of ring buffers and of what programs print, each on a thread of its own that sleeps until there are records.
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
            let started = { [self] (wake: @escaping @Sendable () -> Void) in
                active.withLock { if $0[request.serial] != nil { $0[request.serial] = wake } }
            }
            let isOver = { [self] in active.withLock { $0[request.serial] == nil } }
            if request.method == Method.programTrace.rawValue {
                host.followTrace(started: started, isOver: isOver) { stream(request, TraceReply(line: $0)) }
            } else {
                let parameters: FollowParameters = try RuntimeHost.decode(host.owned(request).parameters)
                try host.follow(parameters, started: started, isOver: isOver) {
                    stream(request, FollowReply(record: $0))
                }
            }
            send(request, Reply([:]))
        } catch {
            send(request, Reply(error))
        }
    }

    private func stream(_ request: RuntimeRequest, _ item: some Encodable) {
        guard let reply = try? JSONValue(encoding: item) else { return }
        send(request, Reply(reply, continues: true))
    }

    private func send(_ request: RuntimeRequest, _ reply: Reply) {
        writer.send(.answer(serial: request.serial, reply, added: [], removed: []))
    }
}
