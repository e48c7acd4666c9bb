import ControlAPI
import Foundation
import Glibc
import Testing

/// What registrations that have gone leave behind, in both processes. Memory itself is for Benchmarks/registry: here is
/// counted what does not depend on the machine.
@Suite("Leaks", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct LeakTests {
    @Test("hundreds of rounds of register and unregister leave no mapping, no descriptor and no code")
    func leavesNothing() throws {
        let sandbox = try Sandbox()
        try sandbox.start("--state-dir", sandbox.folder.appending(path: "state").path)
        let broker = try #require(sandbox.daemon).processIdentifier
        let pids = [broker, try #require(try sandbox.runtimePID())]
        let client = try Client(path: sandbox.socket)
        let objects = try [".struct_ops", ".struct_ops.link"].map(Self.object)
        // More objects in turns than the runtime keeps the code of.
        let turns = 50, rounds = 300
        func run(_ numbers: Range<Int>) throws {
            for number in numbers {
                let name = "leak_\(100 + number % turns)"
                let bytes = objects[number % 2].replacing("leak_000".utf8, with: name.utf8)
                let reply = try client.call(
                    Call(
                        Method.registryRegister.rawValue,
                        try JSONValue(encoding: RegisterParameters(object: Data(bytes).base64EncodedString()))
                    )
                ).decode(as: RegistrationsReply.self)
                let id = try #require(reply.registrations.first).id
                _ = try client.call(
                    Call(Method.registryUnregister.rawValue, try JSONValue(encoding: Selector(id: id))))
            }
        }
        try run(0..<turns)
        let before = try pids.map { try Held(by: $0) }
        #expect(before[1].code > 0)
        try run(turns..<rounds)
        let after = try pids.map { try Held(by: $0) }
        // The allocator and threads have some that come and go; what leaks has one for each round, or for every other.
        let slack = (rounds - turns) / 8
        for (old, new) in zip(before, after) {
            #expect(new.mappings < old.mappings + slack)
            #expect(new.descriptors < old.descriptors + slack)
            #expect(new.code < old.code + slack)
        }
    }

    /// An object whose names are patched to make others of it.
    private static func object(section: String) throws -> [UInt8] {
        let path = Sandbox.root.appending(path: "Examples/reno.bpf.c")
        let source = try String(contentsOf: path, encoding: .utf8)
            .replacing("SEC(\".struct_ops\")", with: "SEC(\"\(section)\")")
            .replacing("tcp_congestion_ops reno = ", with: "tcp_congestion_ops leak_000 = ")
            .replacing("\"bpf_reno\"", with: "\"leak_000\"")
        return [UInt8](try Data(contentsOf: URL(filePath: try Example.compile("leak", source: source))))
    }

    /// Counts of what a process holds.
    private struct Held {
        var mappings = 0
        /// Mappings of machine code.
        var code = 0
        var descriptors: Int

        init(by pid: pid_t) throws {
            descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
            // Foundation takes the first page of a file in /proc for all of it.
            let file = try #require(fopen("/proc/\(pid)/maps", "r"))
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 4096)
            while fgets(&line, CInt(line.count), file) != nil {
                mappings += 1
                if strstr(line, "/memfd:opsd:") != nil, strstr(line, " r-xs ") != nil { code += 1 }
            }
        }
    }
}
