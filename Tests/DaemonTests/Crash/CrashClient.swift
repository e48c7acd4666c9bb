import ControlAPI
import Crypto
import Foundation
import Testing

/// One client with ops names of its own: it knows what it was told.
final class CrashClient: @unchecked Sendable {  // One thread at a time: `work`, then `check`.
    private(set) var hasFailed = false

    /// A registration as it was acknowledged.
    fileprivate struct Item: Equatable {
        var id: UInt32
        var linkID: UInt32?
        var sha256: String
    }

    /// Registrations by ops name: those of one unit that there are.
    private typealias Items = [String: Item]

    /// What is registered together: one object, of which there are versions that differ in nothing but a byte behind
    /// their end.
    private struct Unit {
        var opsNames: [String]
        var hasLinks: Bool
        var versions: [(sha256: String, base64: String)]
        var expected = Expected.items([:])
    }

    /// What may be found of a unit.
    private enum Expected {
        case items(Items)
        /// A change was not answered: what was there before, or what the change would have led to, and nothing between.
        case eitherOr(Items, Change)
    }

    private enum Change {
        case register(sha256: String)
        case update(String, sha256: String)
        case unregister(String)
        case detach(String)

        var name: String {
            switch self {
            case .register: "register"
            case .update: "update"
            case .unregister: "unregister"
            case .detach: "link detach"
            }
        }
    }

    private let socket: String
    /// A disk that fails may refuse any change.
    private let isDiskFaulty: Bool
    private var units: [Unit]
    private let transient: String
    private var holder: UnixSocket?
    private var random: SplitMix
    /// How often what happened.
    private(set) var counts: [String: Int] = [:]
    /// All that this client was ever told, for the ids.
    private var told: [Registration] = []
    private var lastID: UInt32 = 0
    private var lastLinkID: UInt32 = 0

    init(number: Int, socket: String, seed: UInt64, isDiskFaulty: Bool) throws {
        self.socket = socket
        self.isDiskFaulty = isDiskFaulty
        random = SplitMix(state: seed &+ UInt64(number + 1))
        func unit(_ names: [String], links: Bool) throws -> Unit {
            let object = try Self.object(names, links: links)
            let versions = (0..<3).map { version in
                let bytes = object + Data("\(version)".utf8)
                return (Self.sha256(bytes), bytes.base64EncodedString())
            }
            return Unit(opsNames: names, hasLinks: links, versions: versions)
        }
        units = try [
            unit(["crash\(number)a"], links: true), unit(["crash\(number)b"], links: true),
            unit(["crash\(number)c"], links: false),
            unit(["crash\(number)d", "crash\(number)e"], links: false),
        ]
        transient = try Self.object(["crash\(number)\(Self.transientSuffix)"], links: true)
            .base64EncodedString()
    }

    private static let transientSuffix = "t"

    static func isTransient(_ registration: Registration) -> Bool {
        registration.opsName.hasSuffix(transientSuffix)
    }

    /// Reno under other names, several times in one object.
    private static func object(_ names: [String], links: Bool) throws -> Data {
        let source = try String(
            contentsOf: Sandbox.root.appending(path: "Examples/reno.bpf.c"), encoding: .utf8)
        let start = try #require(source.range(of: "SEC(\".struct_ops\")")).lowerBound
        let maps = names.map { name in
            source[start...].replacing("tcp_congestion_ops reno", with: "tcp_congestion_ops \(name)")
                .replacing("\"bpf_reno\"", with: "\"\(name)\"")
                .replacing("SEC(\".struct_ops\")", with: "SEC(\".struct_ops\(links ? ".link" : "")\")")
        }
        let file = try Example.compile(names[0], source: source[..<start] + maps.joined())
        return try Data(contentsOf: URL(filePath: file))
    }

    private static func sha256(_ bytes: Data) -> String {
        SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
    }

    // MARK: Work

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
        if random.next() % 8 == 0 { return stepTransient() }
        if random.next() % 8 == 0 { return beginJob(client) }
        let index = Int(random.next() % UInt64(units.count))
        guard case .items(let items) = units[index].expected else {
            // In doubt until the next check.
            usleep(2000)
            return true
        }
        if let name = items.keys.sorted().first, random.next() % 4 == 0 { return simulate(client, name) }
        let (change, call) = nextChange(units[index], items)
        do throws(ClientError) {
            let reply = try client.call(call)
            let registrations = (try? reply.decode(as: RegistrationsReply.self))?.registrations ?? []
            units[index].expected = .items(acknowledged(change, items, registrations))
            counts["acknowledged \(change.name)", default: 0] += 1
        } catch {
            guard case .refused(let refusal) = error else {
                units[index].expected = .eitherOr(items, change)
                return false
            }
            counts["refused \(change.name)", default: 0] += 1
            // The runtime died, or the disk failed: nothing was changed. This client provokes no other answers.
            if isDiskFaulty, refusal.suggestion?.contains("may find the change") == true {
                units[index].expected = .eitherOr(items, change)
            } else if refusal.code != "runtime", !(isDiskFaulty && isOfDisk(refusal)) {
                fail("\(change) of \(items): \(refusal)")
            }
        }
        return true
    }

    private func isOfDisk(_ refusal: Refusal) -> Bool {
        // EROFS: SQLite reads what it could not open for writing.
        refusal.code == "io" && [Int(ENOSPC), Int(EIO), Int(EROFS)].contains(refusal.errno)
    }

    private func nextChange(_ unit: Unit, _ items: Items) -> (Change, Call) {
        let version = unit.versions[Int(random.next() % 3)]
        let names = items.keys.sorted()
        guard let name = names.isEmpty ? nil : names[Int(random.next() % UInt64(names.count))],
            let item = items[name]
        else {
            return (
                .register(sha256: version.sha256),
                Call(Method.registryRegister.rawValue, ["object": .string(version.base64)])
            )
        }
        if unit.hasLinks, random.next() % 2 == 0, version.sha256 != item.sha256 {
            return (
                .update(name, sha256: version.sha256),
                Call(
                    Method.registryUpdate.rawValue,
                    ["id": .integer(Int64(item.id)), "object": .string(version.base64)])
            )
        }
        if let link = item.linkID, random.next() % 2 == 0 {
            return (.detach(name), Call(Method.linkDetach.rawValue, ["id": .integer(Int64(link))]))
        }
        return (
            .unregister(name), Call(Method.registryUnregister.rawValue, ["id": .integer(Int64(item.id))])
        )
    }

    /// What there is after a change that was answered.
    private func acknowledged(_ change: Change, _ items: Items, _ registrations: [Registration]) -> Items {
        var items = items
        switch change {
        case .register, .update:
            for registration in registrations {
                noteNew(registration, isLinkNew: items[registration.opsName] == nil)
                items[registration.opsName] = Item(registration)
            }
        case .unregister(let name), .detach(let name): items[name] = nil
        }
        return items
    }

    /// Ids only ever grow, whatever has died in between.
    private func noteNew(_ registration: Registration, isLinkNew: Bool) {
        told.append(registration)
        if registration.id <= lastID { fail("an id no higher than \(lastID): \(registration)") }
        lastID = max(lastID, registration.id)
        guard let link = registration.linkID, isLinkNew else { return }
        if link <= lastLinkID { fail("a link id no higher than \(lastLinkID): \(registration)") }
        lastLinkID = max(lastLinkID, link)
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
            counts["simulated", default: 0] += 1
        } catch {
            guard case .refused(let refusal) = error else { return false }
            if refusal.code != "runtime" { fail("a simulation of \(name): \(refusal)") }
        }
        return true
    }

    // MARK: Jobs

    /// All of them are the same run, which is deterministic.
    private static let job = Call(
        Method.simulationRun.rawValue,
        [
            "scenario": """
            duration: 2s
            links: {b: {rate: 10Mbit, delay: 10ms, buffer: 1bdp}}
            flows: [{name: a, cc: cubic, path: [b], rtt: 20ms}]

            """, "detach": true,
        ])

    /// That were acknowledged since the last check.
    private var jobs: [Int64] = []
    private var lastJob: Int64 = 0
    private var jobResult: JSONValue?

    private func beginJob(_ client: Client) -> Bool {
        do throws(ClientError) {
            let reply = try client.call(Self.job)
            guard let id = reply["run"]?["id"]?.integer else {
                fail("a job without an id: \(reply)")
                return true
            }
            if id <= lastJob { fail("an id of a job no higher than \(lastJob): \(id)") }
            lastJob = max(lastJob, id)
            jobs.append(id)
            counts["acknowledged job", default: 0] += 1
        } catch {
            guard case .refused(let refusal) = error else { return false }
            if !(isDiskFaulty && isOfDisk(refusal)) { fail("a job: \(refusal)") }
        }
        return true
    }

    /// Every job that was acknowledged comes to its end, with the one result.
    /// - Returns: false while one is under way.
    func checkJobs(_ client: Client, _ round: String) throws -> Bool {
        while let id = jobs.last {
            do throws(ClientError) {
                let result = try client.call(
                    Call(Method.simulationResult.rawValue, ["id": .integer(id)]))["result"]
                if let jobResult, result != jobResult { fail("\(round): job \(id) has another result") }
                jobResult = result
                counts["job with its result", default: 0] += 1
            } catch {
                guard case .refused(let refusal) = error else { throw error }
                if refusal.code == "busy" { return false }
                // Two runtimes died while they worked on it.
                if refusal.code != "runtime" { fail("\(round): job \(id): \(refusal)") }
            }
            jobs.removeLast()
        }
        return true
    }

    // MARK: Transient

    /// Begins a registration that ends with its connection, or ends it.
    private func stepTransient() -> Bool {
        guard holder == nil else {
            endTransient()
            return true
        }
        guard let socket = try? UnixSocket.connect(to: socket) else { return false }
        let call = Call(
            Method.registryRegister.rawValue, ["object": .string(transient), "transient": true], more: true)
        guard let reply = try? answer(call, on: socket) else { return false }
        if let error = reply.error {
            let refusal = Refusal(wireError: error, reply.parameters)
            // The one before is there until the daemon has heard of its connection's end.
            let isKnown = refusal.code == "runtime" || refusal.errno == Int(EEXIST)
            if !isKnown, !(isDiskFaulty && isOfDisk(refusal)) { fail("a transient registration: \(refusal)") }
            return true
        }
        for registration in (try? reply.parameters.decode(as: RegistrationsReply.self))?.registrations ?? [] {
            noteNew(registration, isLinkNew: true)
        }
        counts["acknowledged transient", default: 0] += 1
        holder = socket
        return true
    }

    private func answer(_ call: Call, on socket: UnixSocket) throws -> Reply {
        try socket.send(call.json.frame)
        var frames = FrameSplitter(limit: 1 << 24)
        while true {
            if let frame = try frames.next() { return try Reply(frame: frame) }
            let bytes = try socket.receive()
            guard !bytes.isEmpty else { throw CancellationError() }
            frames.append(bytes)
        }
    }

    func endTransient() { holder = nil }

    // MARK: Checks

    /// Compares what is listed with what was told, and learns what became of changes in doubt.
    func check(_ listed: [Registration], _ ids: inout SeenIDs, _ round: String) {
        for index in units.indices {
            let names = units[index].opsNames
            let found = listed.filter { names.contains($0.opsName) }
            var items: Items = [:]
            for registration in found {
                if registration.state == "FAILED" {
                    fail("\(round): \(registration.opsName) is FAILED: \(registration.reason ?? "")")
                }
                if items.updateValue(Item(registration), forKey: registration.opsName) != nil {
                    fail("\(round): \(registration.opsName) is there twice")
                }
            }
            if !isPossible(items, units[index]) {
                fail("\(round): expected \(units[index].expected) of \(names), found \(found)")
            }
            told += found
            lastID = max(lastID, found.map(\.id).max() ?? 0)
            lastLinkID = max(lastLinkID, found.compactMap(\.linkID).max() ?? 0)
            units[index].expected = .items(items)
        }
        for registration in told where !ids.note(registration) {
            fail("\(round): an id was given out again: \(registration)")
        }
        told = []
    }

    private func isPossible(_ found: Items, _ unit: Unit) -> Bool {
        guard case .eitherOr(let before, let change) = unit.expected else {
            guard case .items(let items) = unit.expected else { return false }
            return found == items
        }
        let isDone: Bool
        switch change {
        case .unregister(let name), .detach(let name):
            isDone = found == before.filter { $0.key != name }
        case .register(let sha256):
            isDone =
                Set(found.keys) == Set(unit.opsNames)
                && found.values.allSatisfy { $0.sha256 == sha256 && ($0.linkID != nil) == unit.hasLinks }
        case .update(let name, let sha256):
            isDone =
                found.count == before.count && found[name]?.sha256 == sha256
                && found[name]?.linkID == before[name]?.linkID
        }
        if isDone { counts["unanswered and done", default: 0] += 1 }
        if found == before { counts["unanswered and not done", default: 0] += 1 }
        return isDone || found == before
    }

    private func fail(_ text: String) {
        hasFailed = true
        Issue.record(Comment(rawValue: text))
    }
}

extension CrashClient.Item {
    fileprivate init(_ registration: Registration) {
        self.init(id: registration.id, linkID: registration.linkID, sha256: registration.objectSha256)
    }
}
