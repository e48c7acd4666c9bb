import ControlAPI
import Foundation
import OpsHost
import Synchronization

/// The runtime's side of the socketpair.
final class RuntimeServer {
    private let socket: UnixSocket
    private let window: ObjectWindow
    private let writer: FrameWriter
    private let host: RuntimeHost
    private let control: WorkThread
    private let query: WorkThread
    private let simulations: SimulationThreads
    private let followers: FollowThreads
    private var frames = FrameSplitter(limit: Int(Int32.max))

    init(_ socket: UnixSocket, _ window: ObjectWindow) throws {
        self.socket = socket
        self.window = window
        let writer = FrameWriter(socket.descriptor)
        self.writer = writer
        // Core tells its news on the thread that works on the request: so they can be told apart by it.
        host = try RuntimeHost(onEvent: { event in
            writer.send(.event(event, serial: WorkThread.currentSerial))
        })
        control = WorkThread(name: "control")
        query = WorkThread(name: "query")
        simulations = SimulationThreads(host: host, writer: writer)
        followers = FollowThreads(host: host, writer: writer)
    }

    /// Until the broker closes the connection.
    func serve() throws {
        while true {
            let bytes = try socket.receive()
            guard !bytes.isEmpty else { return }
            frames.append(bytes)
            while let frame = try frames.next() {
                guard let request = RuntimeRequest(frame: frame) else {
                    throw SystemFailure("a request of the broker", errno: EPROTO)
                }
                try dispatch(request)
            }
        }
    }

    private func dispatch(_ request: RuntimeRequest) throws {
        switch request.method {
        case RuntimeVerb.ping.rawValue:
            writer.answer(request.serial, ["busy_s": .integer(control.busySeconds)])
        case RuntimeVerb.cancel.rawValue:
            let serial = request.parameters["serial"]?.integer ?? 0
            simulations.cancel(serial)
            followers.cancel(serial)
            writer.answer(request.serial, [:])
        case Method.simulationRun.rawValue:
            simulations.start(request)
        case Method.mapFollow.rawValue:
            followers.start(request)
        default:
            let thread = RuntimeServer.isQuery(request.method) ? query : control
            let object = try object(of: request)
            thread.run(serial: request.serial) { [host, writer] in
                do throws(Refusal) {
                    writer.answer(request.serial, try host.handle(request, object: object))
                } catch {
                    writer.send(.answer(serial: request.serial, Reply(error), added: [], removed: []))
                }
            }
        }
    }

    /// The object that a request has left in the window.
    private func object(of request: RuntimeRequest) throws -> [UInt8]? {
        guard let count = request.objectByteCount else { return nil }
        guard let object = window.read(count) else {
            throw SystemFailure("a request of the broker", errno: EPROTO)
        }
        return object
    }

    private static func isQuery(_ method: String) -> Bool {
        Method(rawValue: method)?.isIdempotent ?? false
    }
}

/// Writes whole frames, from any thread. A broker that went away is noticed where frames are read.
final class FrameWriter: Sendable {
    private let descriptor: Mutex<CInt>

    init(_ descriptor: CInt) {
        self.descriptor = Mutex(descriptor)
    }

    func answer(_ serial: Int64, _ parameters: JSONValue) {
        send(.answer(serial: serial, Reply(parameters), added: [], removed: []))
    }

    func answer(_ serial: Int64, _ result: HostResult) {
        send(.answer(serial: serial, Reply(result.parameters), added: result.added, removed: result.removed))
    }

    func send(_ message: RuntimeMessage) {
        let frame = message.json.frame
        descriptor.withLock { descriptor in
            try? UnixSocket.send(frame, to: descriptor)
        }
    }
}
