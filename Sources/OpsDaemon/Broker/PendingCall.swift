import ControlAPI
import Registry

/// A call that the runtime has to answer, from its arrival to its reply.
final class PendingCall: @unchecked Sendable {  // Confined to the broker's loop.
    let call: Call
    /// Its object's bytes, if they have been decoded.
    let object: [UInt8]?
    /// The same in the runtime's window.
    let draft: ObjectDraft?
    let method: Method
    let peer: Peer
    /// nil once the client has gone: what it began ends early where that leaves nothing half done.
    weak var client: ClientConnection?
    let started = ContinuousClock.now
    /// Runtimes that died while they worked on it.
    var deaths = 0
    /// Whose key has signed its object.
    var signer: String?
    /// A simulation that did not get on: the runtime was killed over it.
    var isStuck = false
    /// A simulation's run.
    var run: SimulationRun?
    /// The registration that it ends: off the disk already.
    var removal: RegistryEntry?
    /// The registration that nobody else may change until the runtime has answered.
    var holds: UInt32?
    /// What the runtime is asked, if not what we were asked.
    var runtimeParameters: JSONValue?

    init(
        _ call: Call, object: [UInt8]?, draft: ObjectDraft? = nil, _ method: Method, peer: Peer,
        client: ClientConnection?
    ) {
        self.call = call
        self.object = object
        self.draft = draft
        self.method = method
        self.peer = peer
        self.client = client
    }

    var age: Duration { ContinuousClock.now - started }
    var durationMicroseconds: Int64 { Int64(age / .microseconds(1)) }

    /// The runtime works on it in its uid's turn.
    var isInside = false
    /// Called once, when it is over, whoever is still there to hear of it.
    var whenFinished: ((Reply) -> Void)?

    func finish(_ reply: Reply) {
        let whenFinished = whenFinished
        self.whenFinished = nil
        client?.finish(call.oneway ? nil : reply)
        whenFinished?(reply)
    }
}
