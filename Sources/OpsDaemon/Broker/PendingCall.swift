import ControlAPI
import Registry

/// A call that the runtime has to answer, from its arrival to its reply.
final class PendingCall: @unchecked Sendable {  // Confined to the broker's loop.
    let call: Call
    /// Its object's bytes, if they have been decoded.
    let object: [UInt8]?
    let method: Method
    let peer: Peer
    /// nil once the client has gone: what it began ends early where that leaves nothing half done.
    weak var client: ClientConnection?
    let started = ContinuousClock.now
    /// Runtimes that died while they worked on it.
    var deaths = 0
    /// Whose key has signed its object.
    var signer: String?
    /// A simulation's run.
    var run: SimulationRun?
    /// The registration that it ends: off the disk already.
    var removal: RegistryEntry?
    /// The registration that nobody else may change until the runtime has answered.
    var holds: UInt32?

    init(_ call: Call, object: [UInt8]?, _ method: Method, peer: Peer, client: ClientConnection) {
        self.call = call
        self.object = object
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

/// One run of a scenario: known by its id until it is forgotten, whoever asked for it.
final class SimulationRun: @unchecked Sendable {  // Confined to the broker's loop.
    var status: RunStatus
    var result: JSONValue?
    var failure: Refusal?
    /// Registrations whose programs it runs.
    var uses: [UInt32] = []
    var isCancelled = false

    init(id: UInt32, scenario: String) {
        status = RunStatus(id: id, scenario: scenario, state: "running", atS: 0, durationS: 0)
    }

    var isRunning: Bool { status.state == "running" }
}

/// Runs by id, the newest finished ones with their results.
struct RunTable {
    static let finishedMax = 32

    private(set) var runs: [SimulationRun] = []
    private var lastID: UInt32 = 0

    var runningCount: Int { runs.count { $0.isRunning } }

    mutating func add(scenario: String) -> SimulationRun {
        lastID += 1
        let run = SimulationRun(id: lastID, scenario: scenario)
        runs.append(run)
        return run
    }

    /// Forgets the oldest finished runs beyond the limit.
    mutating func trim() {
        var surplus = runs.count { !$0.isRunning } - Self.finishedMax
        runs.removeAll { run in
            guard surplus > 0, !run.isRunning else { return false }
            surplus -= 1
            return true
        }
    }

    subscript(id: UInt32) -> SimulationRun? { runs.first { $0.status.id == id } }
}
