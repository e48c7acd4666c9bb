import ControlAPI
import NIOPosix
import Registry

/// What the broker does about a registration, once, before there is a client that waits for it: see `Rehearsal`.
enum BrokerRehearsal {
    /// On the loop. The pool's threads go through their part meanwhile.
    static func run(pool: NIOThreadPool, threadCount: Int) {
        guard let frame = call() else { return }
        for _ in 0..<threadCount {
            pool.submit { _ in _ = ParsedCall.parse(frame) }
        }
        _ = ParsedCall.parse(frame)
        answers()
    }

    /// A registration of a megabyte, as it comes from a socket.
    private static func call() -> FrameSplitter.Frame? {
        let object = String(repeating: "QUJD", count: 1 << 18)
        let bytes = Call(Method.registryRegister.rawValue, ["object": .string(object), "file": "rehearsal"])
            .json.frame
        var frames = FrameSplitter(decodingWith: ParsedCall.base64)
        for start in stride(from: 0, to: bytes.count, by: 128 << 10) {
            frames.append(bytes[start..<min(start + (128 << 10), bytes.count)])
        }
        return try? frames.nextFrame()
    }

    /// What the runtime says to it, and what becomes of that.
    private static func answers() {
        let registration = Registration(
            id: 1, name: "rehearsal", kernelStructOps: "tcp_congestion_ops", opsName: "rehearsal",
            state: "INUSE", refs: 1, objectSha256: String(repeating: "0", count: 64), variable: "rehearsal")
        let event = HostEvent(
            "register", id: 1, name: "rehearsal", subsystem: "tcp_congestion_ops",
            objectSha256: registration.objectSha256, text: "registered")
        _ = RuntimeMessage(frame: Array(RuntimeMessage.event(event, serial: 1).frame.dropLast()))
        let reply = Reply(RegistrationsReply([registration]).json)
        let answer = RuntimeMessage.answer(serial: 1, reply, added: [registration], removed: [])
        _ = RuntimeMessage(frame: Array(answer.frame.dropLast()))
        _ = reply.frame
        var book = RegistryBook()
        book.apply(RegistryChange(put: [RegistryEntry(registration)]))
        book.apply(RegistryChange(removed: [registration.id]))
    }
}
