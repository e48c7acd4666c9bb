import ControlAPI
import Foundation
import Synchronization
import Testing

/// Registers objects one after the other, runs what is accepted, unregisters it, and counts what became of them.
struct Driver: CustomStringConvertible {
    private let socket: String
    private(set) var accepted = 0
    private(set) var refused = 0
    private(set) var runs = 0
    private(set) var runsRefused = 0
    private(set) var deathsInRegister = 0
    private(set) var deathsInRun = 0

    init(_ sandbox: Sandbox) { socket = sandbox.socket }

    var description: String {
        "\(refused) refused, \(accepted) accepted, \(runs) runs to their end, \(runsRefused) refused, deaths of the runtime: "
            + "\(deathsInRegister) in register, \(deathsInRun) in runs"
    }

    mutating func play(_ bytes: [UInt8]) throws {
        let parameters = RegisterParameters(
            object: Data(bytes).base64EncodedString(), file: "hostile.bpf.o")
        let registrations: [Registration]
        do {
            let reply = try Client(path: socket).call(
                Call(Method.registryRegister.rawValue, try JSONValue(encoding: parameters)))
            registrations = try reply.decode(as: RegistrationsReply.self).registrations
        } catch ClientError.refused(let refusal) {
            if refusal.code == "runtime" { deathsInRegister += 1 } else { refused += 1 }
            return
        }
        accepted += 1
        for registration in registrations { try run(registration.opsName) }
        for registration in registrations {
            // One that ends with a broken runtime may have been ended by it.
            _ = try? Client(path: socket).call(
                Call(Method.registryUnregister.rawValue, ["id": .integer(Int64(registration.id))]))
        }
    }

    private mutating func run(_ opsName: String) throws {
        let scenario = """
            duration: 300ms
            links: {l: {rate: 10Mbit, delay: 2ms, buffer: 20p, loss: 2%}}
            flows: [{name: a, count: 2, cc: "\(opsName)", path: [l], rtt: 10ms}]
            record: off
            """
        do {
            _ = try Client(path: socket).call(
                Call(
                    Method.simulationRun.rawValue,
                    try JSONValue(encoding: RunParameters(scenario: scenario, file: "s.yaml"))))
            runs += 1
        } catch ClientError.refused(let refusal) {
            if refusal.code == "runtime" { deathsInRun += 1 } else { runsRefused += 1 }
        }
    }
}

/// Somebody else's client: asks all the time what is registered, and wants an answer with `cubic` in use.
final class Bystander: Sendable {
    private struct State {
        var isOver = false
        var hasEnded = false
        var answers = 0
        var failures: [String] = []
    }
    private let state = Mutex(State())

    init(_ socket: String) {
        let thread = Thread { [self] in
            while !state.withLock({ $0.isOver }) {
                let failure = Self.ask(socket)
                state.withLock {
                    $0.answers += 1
                    if let failure { $0.failures.append(failure) }
                }
                usleep(5000)
            }
            state.withLock { $0.hasEnded = true }
        }
        thread.start()
    }

    var answers: Int { state.withLock { $0.answers } }
    /// What was no such answer.
    var failures: [String] { state.withLock { $0.failures } }

    func stop() {
        state.withLock { $0.isOver = true }
        while !state.withLock({ $0.hasEnded }) { usleep(1000) }
    }

    private static func ask(_ socket: String) -> String? {
        do {
            let reply = try Client(path: socket).call(Call(Method.registryList.rawValue))
            let all = try reply.decode(as: RegistrationsReply.self).registrations
            let isThere = all.contains { $0.name == "cubic" && $0.state == "INUSE" }
            return isThere ? nil : "\(all.map { "\($0.name) \($0.state)" })"
        } catch {
            return "\(error)"
        }
    }
}

/// What a daemon holds: compared before and after.
struct Footprint {
    private let brokerDescriptors: Int
    private let brokerMemory: Int
    private let loaded: [Int]

    init(_ sandbox: Sandbox) throws {
        let broker = try #require(sandbox.daemon).processIdentifier
        brokerDescriptors = try Self.descriptors(broker)
        brokerMemory = try Self.memory(broker)
        loaded = try Self.loaded(sandbox)
    }

    /// Memory: within 96 MiB, which a debug build's pools take.
    func expectNoMore(_ sandbox: Sandbox) throws {
        let broker = try #require(sandbox.daemon).processIdentifier
        #expect(try Self.loaded(sandbox) == loaded, "programs and maps")
        try sandbox.eventually("descriptors are closed") {
            try Self.descriptors(broker) <= brokerDescriptors
        }
        #expect(try FloodTests.isSanitized || Self.memory(broker) < brokerMemory + (96 << 20))
    }

    private static func loaded(_ sandbox: Sandbox) throws -> [Int] {
        try ["prog", "map"].map { kind in
            let listed = try sandbox.opsctl("-j", kind, "show").json()["result"] as? [Any]
            return try #require(listed).count
        }
    }

    private static func descriptors(_ pid: pid_t) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }

    private static func memory(_ pid: pid_t) throws -> Int {
        let pages = try String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8).split(separator: " ")
        return try #require(pages.dropFirst().first.flatMap { Int($0) }) * Int(sysconf(CInt(_SC_PAGESIZE)))
    }
}

extension Sandbox {
    /// Of the runtime, so far.
    func restarts() throws -> Int {
        let status = try opsctl("-j", "daemon", "status").json()["result"] as? [String: Any]
        return try #require(status?["restarts"] as? Int)
    }
}
