package import ControlAPI
import Netsim
import OpsCore

/// Goes once through all that a registration takes, in a runtime of its own that nobody sees.
///
/// The first object that a process loads takes several times as long as the second: code is read from its file, Swift looks
/// up conformances, tables are made, memory and threads are taken. A service does that before somebody waits.
package enum Rehearsal {
    /// So large that what is done beside the rest for large objects only is done too, and that later ones find memory.
    private static let objectByteCount = 1 << 20

    /// On the thread that will register.
    /// - Throws: what an object of ours is refused for, which must not be.
    package static func run() throws(Refusal) {
        let host = try RuntimeHost { _ = RuntimeMessage.event($0, serial: 1).frame }
        // What stands behind an ELF file's sections is nobody's.
        let example = TCPCongestionControl.example
        let object = example + [UInt8](repeating: 0, count: max(0, objectByteCount - example.count))
        let registered = try answer(
            .registryRegister, ["object": "", "file": "rehearsal"], object, by: host)
        for registration in registered.added {
            _ = try answer(.registryUnregister, ["id": .integer(Int64(registration.id))], nil, by: host)
        }
    }

    /// From the bytes of a request to the bytes of its answer.
    private static func answer(
        _ method: Method, _ parameters: JSONValue, _ object: [UInt8]?, by host: RuntimeHost
    ) throws(Refusal) -> HostResult {
        let frame = RuntimeRequest(
            serial: 1, method: method.rawValue, parameters: parameters,
            object: object.map { RuntimeRequest.Object(byteCount: $0.count, pane: 0) }
        ).json.utf8()
        guard let request = RuntimeRequest(frame: frame) else {
            throw Refusal("internal", errno: 5, "a request cannot be read back")
        }
        let result = try host.handle(request, object: object) { false }
        _ =
            RuntimeMessage.answer(
                serial: 1, Reply(result.parameters), added: result.added, removed: result.removed
            ).frame
        return result
    }
}
