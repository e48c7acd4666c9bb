import ControlAPI
import Foundation
import Synchronization
import Testing

/// The daemon, its runtime or both are killed at random moments while clients register, update, unregister and simulate.
///
/// `OPSD_CRASH_ROUNDS` rounds (30), from the seed `OPSD_CRASH_SEED` (a new one each time; it is printed).
@Suite("Crash", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(60)))
struct CrashTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    @Test("what was acknowledged is there, nothing else is half there, no id comes twice")
    func keepsItsPromises() throws {
        let rounds = Self.number("OPSD_CRASH_ROUNDS") ?? 30
        let seed = Self.number("OPSD_CRASH_SEED") ?? UInt64.random(in: 0..<1 << 32)
        print("crash test: \(rounds) rounds, OPSD_CRASH_SEED=\(seed)")
        var random = SplitMix(state: seed)
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state")
        let clients = try (0..<3).map { try CrashClient(number: $0, socket: sandbox.socket, seed: seed) }
        var ids = SeenIDs()
        try sandbox.start("--state-dir", state.path, environment: ["SWIFT_BACKTRACE": "enable=no"])
        for round in 1...rounds {
            let victims = ["broker", "runtime", "both"][Int(random.next() % 3)]
            let isOver = Mutex(false)
            let group = DispatchGroup()
            for client in clients {
                group.enter()
                Thread {
                    client.work { isOver.withLock { $0 } }
                    group.leave()
                }.start()
            }
            // Now and then so early that the registrations of the round before are still being restored.
            usleep(UInt32(random.next() % 400_000))
            let daemon = try #require(sandbox.daemon)
            let runtime = try? sandbox.runtimePID()
            if victims != "broker", let runtime { kill(runtime, SIGKILL) }
            if victims != "runtime" {
                kill(daemon.processIdentifier, SIGKILL)
                daemon.waitUntilExit()
            } else {
                usleep(UInt32(random.next() % 200_000))
            }
            isOver.withLock { $0 = true }
            group.wait()
            if victims != "runtime" {
                try sandbox.start("--state-dir", state.path, environment: ["SWIFT_BACKTRACE": "enable=no"])
            }
            let listed = try list(sandbox)
            for client in clients {
                client.check(listed, &ids, "round \(round), seed \(seed), killed: \(victims)")
            }
            try checkFiles(state.appending(path: "objects"), listed)
            guard !Test.isFailing else { break }
        }
        let sums = clients.map(\.acknowledged).reduce(0, +)
        print("crash test: \(sums) changes acknowledged")
        #expect(sums > 0)
    }

    private func list(_ sandbox: Sandbox) throws -> [Registration] {
        let client = try Client(path: sandbox.socket)
        let reply = try client.call(Call(Method.registryList.rawValue)).decode(as: RegistrationsReply.self)
        // What a run still holds has been unregistered.
        return reply.registrations.filter { $0.state != "TOBEFREE" }
    }

    /// One object for each that is registered, and a manifest; nothing half written.
    private func checkFiles(_ objects: URL, _ listed: [Registration]) throws {
        let names = Set(try FileManager.default.contentsOfDirectory(atPath: objects.path))
        for registration in listed {
            #expect(names.contains(registration.objectSha256 + ".o"))
            #expect(names.contains(registration.objectSha256 + ".json"))
        }
        #expect(names.filter { $0.hasSuffix(".o") }.count == Set(listed.map(\.objectSha256)).count)
    }
}

extension Test {
    /// A round that went wrong spoils those after it.
    fileprivate static var isFailing: Bool { CrashClient.hasFailed.withLock { $0 } }
}

/// Ids that were acknowledged: each belongs to one registration for ever.
struct SeenIDs {
    private var owners: [UInt32: String] = [:]
    private var links: [UInt32: String] = [:]

    /// - Returns: whether the ids are new, or this registration's own.
    mutating func note(_ registration: Registration) -> Bool {
        let owner = "\(registration.name) \(registration.objectSha256)"
        let isOwn = owners.updateValue(owner, forKey: registration.id).map { $0 == owner } ?? true
        guard let link = registration.linkID else { return isOwn }
        return (links.updateValue(registration.name, forKey: link).map { $0 == registration.name } ?? true)
            && isOwn
    }
}

/// One client with ops names of its own: it knows what it was told.
final class CrashClient: @unchecked Sendable {  // One thread at a time: `work`, then `check`.
    static let hasFailed = Mutex(false)

    private struct Item {
        var id: UInt32
        var linkID: UInt32?
        var sha256: String
    }

    /// What may be found under a name.
    private enum Expected {
        case item(Item?)
        /// A change was not answered: what was there before, or a registration of another object, or none.
        case eitherOr(Item?, Change)
    }

    private enum Change { case register(sha256: String), update(sha256: String), unregister }

    private let socket: String
    private let names: [String]
    /// Of each name some objects that differ in nothing but a byte behind their end.
    private let objects: [[(sha256: String, base64: String)]]
    private var expected: [Expected]
    private var random: SplitMix
    private(set) var acknowledged = 0
    /// All that this client was ever told, for the ids.
    private var told: [Registration] = []

    init(number: Int, socket: String, seed: UInt64) throws {
        self.socket = socket
        random = SplitMix(state: seed &+ UInt64(number + 1))
        let source = try String(
            contentsOf: Sandbox.root.appending(path: "Examples/reno.bpf.c"), encoding: .utf8
        )
        .replacing("SEC(\".struct_ops\")", with: "SEC(\".struct_ops.link\")")
        names = (0..<3).map { "crash\(number)\($0)" }
        objects = try names.map { name in
            let file = try Example.compile(
                name,
                source: source.replacing("tcp_congestion_ops reno", with: "tcp_congestion_ops \(name)")
                    .replacing("\"bpf_reno\"", with: "\"\(name)\""))
            let bytes = try Data(contentsOf: URL(filePath: file))
            return try (0..<3).map { variant in
                let path = file + ".\(variant)"
                let object = bytes + Data("\(variant)".utf8)
                try object.write(to: URL(filePath: path))
                let sum = try Sandbox.run("/usr/bin/sha256sum", [path]).stdout.prefix(64)
                return (String(sum), object.base64EncodedString())
            }
        }
        expected = names.map { _ in .item(nil) }
    }

    /// Changes one after the other until told to stop, or until the daemon has gone.
    func work(isOver: () -> Bool) {
        while !isOver() {
            guard let client = try? Client(path: socket) else {
                usleep(5000)
                continue
            }
            while !isOver(), step(client) {}
        }
    }

    /// - Returns: false once the connection is lost.
    private func step(_ client: Client) -> Bool {
        let name = Int(random.next() % UInt64(names.count))
        guard case .item(let item) = expected[name] else {
            // In doubt until the next check.
            usleep(2000)
            return true
        }
        let object = objects[name][Int(random.next() % 3)]
        let change: Change, call: Call
        if let item {
            if random.next() % 4 == 0 {
                return simulate(client, names[name])
            } else if random.next() % 2 == 0, object.sha256 != item.sha256 {
                change = .update(sha256: object.sha256)
                call = Call(
                    Method.registryUpdate.rawValue,
                    ["id": .integer(Int64(item.id)), "object": .string(object.base64)])
            } else {
                change = .unregister
                call = Call(Method.registryUnregister.rawValue, ["id": .integer(Int64(item.id))])
            }
        } else {
            change = .register(sha256: object.sha256)
            call = Call(Method.registryRegister.rawValue, ["object": .string(object.base64)])
        }
        do throws(ClientError) {
            let reply = try client.call(call)
            acknowledged += 1
            let registration = (try? reply.decode(as: RegistrationsReply.self))?.registrations.first
            if case .unregister = change {
                expected[name] = .item(nil)
            } else if let registration {
                told.append(registration)
                expected[name] = .item(
                    Item(id: registration.id, linkID: registration.linkID, sha256: registration.objectSha256))
            }
        } catch {
            guard case .refused(let refusal) = error else {
                expected[name] = .eitherOr(item, change)
                return false
            }
            // The runtime died: nothing was changed. Anything else is none of the answers that this client provokes.
            if refusal.code != "runtime" { fail("\(change) of \(names[name]): \(refusal)") }
        }
        return true
    }

    private func simulate(_ client: Client, _ name: String) -> Bool {
        let scenario = """
            duration: 1s
            links: {b: {rate: 10Mbit, delay: 10ms, buffer: 1bdp}}
            flows: [{name: a, cc: \(name), path: [b], rtt: 20ms}]
            record: off

            """
        do throws(ClientError) {
            _ = try client.call(Call(Method.simulationRun.rawValue, ["scenario": .string(scenario)]))
        } catch {
            guard case .refused = error else { return false }
        }
        return true
    }

    /// Compares what is listed with what was told, and learns what became of changes in doubt.
    func check(_ listed: [Registration], _ ids: inout SeenIDs, _ round: String) {
        for (index, name) in names.enumerated() {
            let found = listed.filter { $0.opsName == name }
            guard found.count <= 1 else { return fail("\(round): \(name) is there \(found.count) times") }
            let item = found.first.map { Item(id: $0.id, linkID: $0.linkID, sha256: $0.objectSha256) }
            if let state = found.first?.state, state == "FAILED" {
                fail("\(round): \(name) is FAILED: \(found.first?.reason ?? "")")
            }
            if !isPossible(item, expected[index]) {
                fail(
                    "\(round): expected \(expected[index]) of \(name), found \(String(describing: found.first))"
                )
            }
            told += found
            expected[index] = .item(item)
        }
        for registration in told where !ids.note(registration) {
            fail("\(round): an id was given out again: \(registration)")
        }
        told = []
    }

    private func isPossible(_ found: Item?, _ expected: Expected) -> Bool {
        func isSame(_ item: Item?) -> Bool {
            found?.id == item?.id && found?.linkID == item?.linkID && found?.sha256 == item?.sha256
        }
        switch expected {
        case .item(let item): return isSame(item)
        case .eitherOr(let before, let change):
            if isSame(before) { return true }
            switch change {
            case .unregister: return found == nil
            case .register(let sha256): return found?.sha256 == sha256 && found?.linkID != nil
            case .update(let sha256): return found?.sha256 == sha256 && found?.linkID == before?.linkID
            }
        }
    }

    private func fail(_ text: String) {
        Self.hasFailed.withLock { $0 = true }
        Issue.record(Comment(rawValue: text))
    }
}

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
