import ControlAPI
import Foundation
import JIT
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
    /// What the work threads have to do.
    private let requests = OpenRequests()
    private var frames = FrameSplitter(limit: Int(Int32.max))

    init(_ socket: UnixSocket, _ window: ObjectWindow) throws {
        self.socket = socket
        self.window = window
        let writer = FrameWriter(socket.descriptor)
        self.writer = writer
        // Core tells its news on the thread that works on the request: so they can be told apart by it.
        host = try RuntimeHost(onEvent: { event in
            let serial = WorkThread.currentSerial
            let message = RuntimeMessage.event(event, serial: serial)
            // The answer follows at once.
            if serial == nil { writer.send(message) } else { writer.hold(message) }
        })
        host.restoreBegins()
        control = WorkThread(name: "control")
        query = WorkThread(name: "query")
        simulations = SimulationThreads(host: host, writer: writer)
        followers = FollowThreads(host: host, writer: writer)
        // On its thread, so that requests wait for it; the broker does not. Debuggers would be shown code of nobody's.
        guard CodeTools.requested.tools.isEmpty else { return }
        control.run(serial: 0) {
            do throws(Refusal) { try Rehearsal.run() } catch {
                say("opsd: runtime: the rehearsal was refused: \(error.text)")
            }
        }
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
            let (slowest, busy) = (simulations.slowest, control.busy)
            writer.answer(
                request.serial,
                [
                    "busy_s": .integer(busy.cpuSeconds), "stalled_s": .integer(busy.seconds),
                    "run": slowest.map { .integer($0.serial) } ?? .null,
                    "run_s": slowest.map { .integer($0.seconds) } ?? .null,
                    "ops": (try? JSONValue(encoding: host.opCounters)) ?? [],
                ])
        case RuntimeVerb.cancel.rawValue:
            let serial = request.parameters["serial"]?.integer ?? 0
            simulations.cancel(serial)
            followers.cancel(serial)
            requests.cancel(serial)
            writer.answer(request.serial, [:])
        case RuntimeVerb.configure.rawValue:
            guard let settings = try? request.parameters.decode(as: RuntimeSettings.self) else {
                throw SystemFailure("a request of the broker", errno: EPROTO)
            }
            host.configure(settings)
            writer.answer(request.serial, [:])
        case RuntimeVerb.restored.rawValue:
            host.restoreEnded()
            writer.answer(request.serial, [:])
        case Method.simulationRun.rawValue:
            simulations.start(request)
        case Method.mapFollow.rawValue, Method.programTrace.rawValue:
            followers.start(request)
        default:
            let thread = RuntimeServer.isQuery(request.method) ? query : control
            let place = request.object
            guard
                place.map({ ObjectWindow.canHold($0.byteCount) && ObjectWindow.panes.contains($0.pane) })
                    ?? true
            else {
                throw SystemFailure("a request of the broker", errno: EPROTO)
            }
            requests.open(request.serial)
            thread.run(serial: request.serial) { [host, window, writer, requests] in
                defer { requests.close(request.serial) }
                // Here, not where frames are read: a large object keeps nobody waiting but those behind it.
                let object = place.map { window.read($0.byteCount, in: $0.pane) }
                RuntimeServer.crashIfTold(request)
                do throws(Refusal) {
                    let result = try host.handle(request, object: object) {
                        requests.isCancelled(request.serial)
                    }
                    if RuntimeServer.isQuery(request.method) {
                        writer.send(.text(serial: request.serial, Reply(result.parameters).json.utf8()))
                    } else {
                        writer.answer(request.serial, result)
                    }
                } catch {
                    writer.send(.answer(serial: request.serial, Reply(error), added: [], removed: []))
                }
            }
        }
    }

    /// A test's way to a registration that no runtime survives: the variable that $OPSD_TEST_CRASH_ON_RESTORE names.
    private static func crashIfTold(_ request: RuntimeRequest) {
        #if DEBUG
            guard request.method == RuntimeVerb.restore.rawValue,
                let victim = environment("OPSD_TEST_CRASH_ON_RESTORE"),
                let parameters: RestoreParameters = try? request.parameters.decode(),
                parameters.items.contains(where: { $0.variable == victim })
            else { return }
            abort()
        #endif
    }

    private static func isQuery(_ method: String) -> Bool {
        Method(rawValue: method)?.isIdempotent ?? false
    }
}

/// Requests from their arrival to their answer, and which of them nobody waits for any more.
final class OpenRequests: Sendable {
    private let cancelled = Mutex<[Int64: Bool]>([:])

    func open(_ serial: Int64) { cancelled.withLock { $0[serial] = false } }

    func close(_ serial: Int64) { cancelled.withLock { $0[serial] = nil } }

    /// One that is unknown, or answered already, stays so.
    func cancel(_ serial: Int64) {
        cancelled.withLock { if $0[serial] != nil { $0[serial] = true } }
    }

    func isCancelled(_ serial: Int64) -> Bool { cancelled.withLock { $0[serial] ?? false } }
}

/// Writes whole frames, from any thread. A broker that went away is noticed where frames are read.
final class FrameWriter: Sendable {
    private struct Output {
        let descriptor: CInt
        /// Frames that go out with the next one: each write wakes the broker, which takes longer than what it says.
        var held: [UInt8] = []

        mutating func flush() {
            try? UnixSocket.send(held, to: descriptor)
            held.removeAll(keepingCapacity: held.capacity <= 2 * FrameWriter.heldMax)
        }
    }
    private let output: Mutex<Output>

    /// No more than this is held.
    fileprivate static let heldMax = 64 << 10

    init(_ descriptor: CInt) {
        output = Mutex(Output(descriptor: descriptor))
    }

    func answer(_ serial: Int64, _ parameters: JSONValue) {
        send(.answer(serial: serial, Reply(parameters), added: [], removed: []))
    }

    func answer(_ serial: Int64, _ result: HostResult) {
        send(.answer(serial: serial, Reply(result.parameters), added: result.added, removed: result.removed))
    }

    func send(_ message: RuntimeMessage) {
        let frame = message.frame
        output.withLock { output in
            output.held += frame
            output.flush()
        }
    }

    /// Sends a message no later than the next one. There must be one.
    func hold(_ message: RuntimeMessage) {
        let frame = message.frame
        output.withLock { output in
            output.held += frame
            if output.held.count > Self.heldMax { output.flush() }
        }
    }
}
