import Foundation
import JIT
import Synchronization
import Testing

@testable import OpsCore

/// A runtime with the policy host in it, and the questions that tests ask about leaks.
struct PolicyRuntime {
    let host: PolicyHost
    let runtime: OpsRuntime
    let events: EventLog

    final class EventLog: Sendable {
        let events = Mutex<[OpsEvent]>([])
        func kinds(_ kind: OpsEvent.Kind) -> [OpsEvent] { events.withLock { $0.filter { $0.kind == kind } } }
    }

    init(
        memoryLimit: Int = 1 << 30, host: PolicyHost? = nil,
        configure: (inout OpsRuntime.Configuration) -> Void = { _ in }
    ) throws {
        let log = EventLog()
        events = log
        var configuration = OpsRuntime.Configuration(
            memoryLimitPerUID: memoryLimit, onEvent: { event in log.events.withLock { $0.append(event) } })
        configure(&configuration)
        runtime = OpsRuntime(configuration: configuration)
        self.host = try host ?? PolicyHost()
        try runtime.add(self.host)
    }

    func type(_ name: String = "policy_ops") throws -> RegisteredType {
        let types = runtime.core.types.withLock { $0.subsystems.flatMap { $0.profiles[0].types } }
        return try #require(types.first { $0.name == name })
    }

    /// Compiles and registers a source with one variable.
    func register(_ source: String, file: String = "pol.bpf.o") throws -> StructOpsMap {
        let info = try #require(try runtime.register(try BPFCompiler.compile(source), name: file).first)
        return try #require(runtime.map(info.id))
    }

    /// Loads a source; the caller closes the object.
    func load(_ source: String, options: LoadOptions = LoadOptions()) throws -> ObjectInfo {
        try runtime.load(try BPFCompiler.compile(source), name: "pol.bpf.o", options: options)
    }

    /// Nothing is alive and nothing is charged: maps, programs, pages, ids in use.
    func expectNothingLeft(_ what: String = "", sourceLocation: SourceLocation = #_sourceLocation) throws {
        let note = Comment(rawValue: what)
        #expect(try runtime.registrations().isEmpty, note, sourceLocation: sourceLocation)
        #expect(runtime.maps().isEmpty, note, sourceLocation: sourceLocation)
        #expect(runtime.programs().isEmpty, note, sourceLocation: sourceLocation)
        #expect(runtime.links().isEmpty, note, sourceLocation: sourceLocation)
        #expect(runtime.objects().isEmpty, note, sourceLocation: sourceLocation)
        #expect(runtime.quiescence.pendingCount == 0, note, sourceLocation: sourceLocation)
        #expect(runtime.memoryCharged(to: 0) == 0, note, sourceLocation: sourceLocation)
        let kept = host.state.withLock { $0.byName.count + $0.byDevice.count }
        #expect(kept == 0, note, sourceLocation: sourceLocation)
    }
}

/// Runs `body`, which must be refused, and returns how.
func refusal(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) throws -> OpsError {
    do {
        try body()
    } catch let error as OpsError {
        return error
    }
    throw Unrefused(place: sourceLocation)
}

struct Unrefused: Error {
    var place: SourceLocation
}
