import ControlAPI
import Foundation
import Testing

/// A disk that fails under the daemon: what is refused has not happened, what was acknowledged is not lost.
@Suite(
    "Failing disk", .enabled(if: FaultyDisk.library != nil, "no clang with a bpf target"),
    .timeLimit(.minutes(60)))
struct FaultyDiskTests {
    /// How the disk fails in a test, beginning with the k-th call of a change.
    struct Fault: CustomTestStringConvertible, Sendable {
        var error: CInt
        /// One call fails, and the daemon lives on; or all of them, until it is killed.
        var isOnce: Bool

        var testDescription: String {
            "\(error == ENOSPC ? "ENOSPC" : "EIO") \(isOnce ? "once" : "until the daemon is killed")"
        }
    }

    private static let faults = [
        Fault(error: ENOSPC, isOnce: true), Fault(error: EIO, isOnce: true),
        Fault(error: ENOSPC, isOnce: false), Fault(error: EIO, isOnce: false),
    ]

    /// What is in use, and what it takes.
    private struct Present: Equatable {
        var registrations: [Registration]
        var programs: Int
        var maps: Int

        init(_ sandbox: Sandbox) throws {
            let client = try Client(path: sandbox.socket)
            registrations = try client.call(Call(Method.registryList.rawValue))
                .decode(as: RegistrationsReply.self).registrations
            programs = try client.call(Call(Method.programList.rawValue))["programs"]?.array?.count ?? -1
            maps = try client.call(Call(Method.mapList.rawValue))["maps"]?.array?.count ?? -1
        }
    }

    private let linked = Result { () throws -> [String] in
        let file = try Example.compile("reno", source: Example.linkSource())
        let bytes = try Data(contentsOf: URL(filePath: file))
        // Different objects of the same programs: one ends with another byte.
        return (0..<2).map { (bytes + Data([$0])).base64EncodedString() }
    }

    private func register(_ object: String) -> Call {
        Call(Method.registryRegister.rawValue, ["object": .string(object)])
    }

    /// Refuses nothing: a change that must be kept.
    private func change(_ sandbox: Sandbox, _ call: Call) throws -> Registration? {
        try Client(path: sandbox.socket).call(call).decode(as: RegistrationsReply.self).registrations.first
    }

    /// - Returns: nil: it was acknowledged.
    private func refusal(_ sandbox: Sandbox, _ call: Call) throws -> Refusal? {
        do {
            _ = try Client(path: sandbox.socket).call(call)
            return nil
        } catch ClientError.refused(let refusal) {
            return refusal
        }
    }

    @Test("each call of a register, an update, an unregister and a detach fails in turn", arguments: faults)
    func refusesWhatCannotBeStored(fault: Fault) throws {
        let objects = try linked.get()
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state")
        let disk = try FaultyDisk(state, in: sandbox.folder)
        try sandbox.start("--state-dir", state.path, environment: disk.environment)
        func loop(_ what: String, _ next: () throws -> (Call, undo: () throws -> Void)) throws {
            var refusals = 0
            for call in 0... {
                let (request, undo) = try next()
                let before = try Present(sandbox)
                disk.fail(with: fault.error, after: call, count: fault.isOnce ? 1 : .max)
                let refusal = try refusal(sandbox, request)
                let hasFailed = disk.failed > 0
                if !fault.isOnce, hasFailed {
                    kill(try #require(sandbox.daemon).processIdentifier, SIGKILL)
                    sandbox.daemon?.waitUntilExit()
                }
                disk.heal()
                if !fault.isOnce, hasFailed {
                    try sandbox.start("--state-dir", state.path, environment: disk.environment)
                }
                let after = try Present(sandbox)
                if let refusal {
                    refusals += 1
                    #expect(refusal.errno == Int(fault.error), "\(what), call \(call): \(refusal)")
                    // Where every call fails from then on, the end of a commit may not even be taken back.
                    let isInDoubt =
                        !fault.isOnce && refusal.suggestion?.contains("may find the change") == true
                    #expect(after == before || isInDoubt, "\(what), call \(call)")
                    if isInDoubt, after != before { try undo() }
                } else {
                    #expect(after.registrations != before.registrations, "\(what), call \(call)")
                    try undo()
                }
                guard hasFailed else { break }
            }
            #expect(refusals > 0, "\(what): no call was refused")
        }

        let id = { (registration: Registration?) in JSONValue.integer(Int64(registration?.id ?? 0)) }
        let shown = { try Present(sandbox).registrations.first }
        func unregisterAll() throws {
            while let one = try shown() {
                _ = try change(sandbox, Call(Method.registryUnregister.rawValue, ["id": id(one)]))
            }
        }
        try loop("register") { (register(objects[0]), unregisterAll) }
        var turn = 0
        _ = try change(sandbox, register(objects[turn]))
        try loop("update") {
            (
                Call(
                    Method.registryUpdate.rawValue,
                    ["id": id(try shown()), "object": .string(objects[1 - turn])]),
                { turn = 1 - turn }
            )
        }
        try loop("unregister") {
            (
                Call(Method.registryUnregister.rawValue, ["id": id(try shown())]),
                { _ = try change(sandbox, register(objects[0])) }
            )
        }
        try loop("link detach") {
            let link = try shown()?.linkID ?? 0
            return (
                Call(Method.linkDetach.rawValue, ["id": .integer(Int64(link))]),
                { _ = try change(sandbox, register(objects[0])) }
            )
        }
        // On a sound disk everything agrees, now and after a restart.
        let last = try Present(sandbox)
        let found = try Client(path: sandbox.socket).call(Call(Method.registryVerify.rawValue))
            .decode(as: RegistryVerification.self)
        #expect(found.problems == [])
        sandbox.stop()
        try sandbox.start("--state-dir", state.path, environment: disk.environment)
        #expect(try Present(sandbox).registrations == last.registrations)
        #expect(sandbox.log.contains("the change could not be stored"))
    }

    @Test("a transient registration whose update cannot be stored ends: its new id may come again")
    func endsWhatHasNoID() throws {
        let objects = try linked.get()
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state")
        let disk = try FaultyDisk(state, in: sandbox.folder)
        try sandbox.start("--state-dir", state.path, environment: disk.environment)
        let file = try Example.compile("reno", source: Example.linkSource())
        let owner = try sandbox.begin("register", "--transient", file)
        try sandbox.eventually("it is registered") { try Present(sandbox).registrations.count == 1 }
        func update() throws -> Refusal? {
            try refusal(
                sandbox,
                Call(Method.registryUpdate.rawValue, ["name": "reno", "object": .string(objects[0])]))
        }
        #expect(try update() == nil)
        disk.fail(with: ENOSPC)
        #expect(try update()?.errno == Int(ENOSPC))
        owner.waitUntilExit()
        #expect(owner.terminationStatus == 1)
        #expect(try Present(sandbox).registrations.isEmpty)
        disk.heal()
        kill(try #require(sandbox.daemon).processIdentifier, SIGKILL)
        sandbox.daemon?.waitUntilExit()
        try sandbox.start("--state-dir", state.path, environment: disk.environment)
        #expect(try change(sandbox, register(objects[0]))?.id ?? 0 > 2)
    }

    @Test(
        "each call of a job fails in turn: one that is refused is not there, one that was not comes to its end",
        arguments: faults)
    func keepsJobs(fault: Fault) throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state")
        let disk = try FaultyDisk(state, in: sandbox.folder)
        try sandbox.start("--state-dir", state.path, environment: disk.environment)
        let scenario = """
            duration: 1s
            links: {l: {rate: 1Mbit, delay: 1ms, buffer: 10p}}
            flows: [{name: a, cc: reno, path: [l], rtt: 10ms}]

            """
        let job = Call(Method.simulationRun.rawValue, ["scenario": .string(scenario), "detach": true])
        func restart() throws {
            kill(try #require(sandbox.daemon).processIdentifier, SIGKILL)
            sandbox.daemon?.waitUntilExit()
            disk.heal()
            try sandbox.start("--state-dir", state.path, environment: disk.environment)
        }
        var known: Set<Int64> = []
        var refusals = 0
        for call in 0... {
            disk.fail(with: fault.error, after: call, count: fault.isOnce ? 1 : .max)
            do {
                let reply = try Client(path: sandbox.socket).call(job)
                let id = try #require(reply["run"]?["id"]?.integer)
                #expect(known.insert(id).inserted, "an id was given out again: \(id)")
            } catch ClientError.refused(let refusal) {
                refusals += 1
                #expect(refusal.errno == Int(fault.error), "call \(call): \(refusal)")
            }
            let hasFailed = disk.failed > 0
            if !fault.isOnce, hasFailed { try restart() } else { disk.heal() }
            guard hasFailed else { break }
        }
        #expect(refusals > 0, "no call was refused")
        try restart()
        try sandbox.eventually("all jobs are done") {
            let runs = try Client(path: sandbox.socket).call(Call(Method.simulationList.rawValue))["runs"]?
                .array
            let listed = Set((runs ?? []).compactMap { $0["id"]?.integer })
            // Where every call fails from then on, what was refused may not even be removed again.
            #expect(fault.isOnce ? listed == known : listed.isSuperset(of: known))
            return (runs ?? []).allSatisfy { $0["state"]?.string == "done" }
        }
        for id in known {
            let reply = try Client(path: sandbox.socket).call(
                Call(Method.simulationResult.rawValue, ["id": .integer(id)]))
            #expect(reply["result"]?["flows"]?.array?.count == 1)
        }
    }

    @Test("a daemon goes on on a disk that has become read-only, and starts on one")
    func servesFromAReadOnlyDisk() throws {
        let objects = try linked.get()
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state")
        let disk = try FaultyDisk(state, in: sandbox.folder)
        try sandbox.start("--state-dir", state.path, environment: disk.environment)
        _ = try change(sandbox, register(objects[0]))
        let before = try Present(sandbox)
        for isRestarted in [false, true] {
            disk.fail(with: EROFS)
            if isRestarted {
                sandbox.stop()
                try sandbox.start("--state-dir", state.path, environment: disk.environment)
                #expect(sandbox.log.contains("the state directory cannot be written"))
            }
            let other = Call(
                Method.registryUpdate.rawValue, ["name": "reno", "object": .string(objects[1])])
            for call in [other, Call(Method.registryUnregister.rawValue, ["name": "reno"])] {
                let refusal = try refusal(sandbox, call)
                #expect(refusal?.errno == Int(EROFS), "\(call.method): \(String(describing: refusal))")
            }
            #expect(try Present(sandbox) == before)
        }
        disk.heal()
        #expect(
            try change(
                sandbox,
                Call(Method.registryUpdate.rawValue, ["name": "reno", "object": .string(objects[1])]))
                != nil)
    }
}
