import Foundation
import Glibc
import JIT
import Testing

@testable import OpsCore

/// Every system call and every allocation of a registration fails once: nothing may be left, and the next try succeeds.
@Suite("Fault loops", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"), .serialized)
struct FaultTests {
    /// Mappings and descriptors of code memory whose name contains `name`.
    private func codeMappings(_ name: String) throws -> Int {
        let mapped = try OwnMappings.lines(containing: "memfd:opsd:\(name)").count
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
            entry in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(entry)")
            return target?.contains("memfd:opsd:\(name)") == true
        }.count
        return mapped + descriptors
    }

    /// Runs `body` with the n-th system call of code memory failing, n = 1, 2, … until none fails any more.
    private func forEachFault(_ errno: CInt, _ body: (Int) throws -> Bool) throws -> Int {
        for call in 1..<100 {
            let plan = CodeMemoryFaults(failingCall: call, errno: errno)
            let succeeded = try CodeMemoryFaults.$current.withValue(plan) { try body(call) }
            #expect(succeeded == !plan.hasFired, "call \(call)")
            if !plan.hasFired { return call - 1 }
        }
        Issue.record("the loop does not end")
        return 0
    }

    @Test("load and register", arguments: ["pol", "pollink"])
    func register(_ name: String) throws {
        let source = PolicyObject.source(
            name: name, section: name == "pol" ? ".struct_ops" : ".struct_ops.link")
        let bytes = try BPFCompiler.compile(source)
        let faults = try forEachFault(ENFILE) { call in
            let policy = try PolicyRuntime(configure: { $0.cachedObjectsMax = 0 })
            do {
                let info = try #require(try policy.runtime.register(bytes, name: "flt\(name).bpf.o").first)
                #expect(try codeMappings("flt\(name)") > 0)
                try policy.runtime.unregister(.id(info.id))
                try policy.expectNothingLeft("call \(call)")
                return true
            } catch let error as OpsError {
                #expect(error.errno == ENFILE)
                #expect(error.code == "memory")
                try policy.expectNothingLeft("call \(call)")
                // The same runtime works once the fault is over.
                try CodeMemoryFaults.$current.withValue(nil) {
                    let info = try #require(
                        try policy.runtime.register(bytes, name: "flt\(name).bpf.o").first)
                    try policy.runtime.unregister(.id(info.id))
                    try policy.expectNothingLeft("after call \(call)")
                }
                return false
            }
        }
        // Two units: the object's code and the map's entries; memfd_create, ftruncate, pwrite, seal, mmap and more each.
        #expect(faults >= 8)
        #expect(try codeMappings("flt\(name)") == 0)
    }

    @Test("update of a link keeps the old map attached")
    func update() throws {
        let policy = try PolicyRuntime()
        let object = try policy.load(PolicyObject.source(name: "upd", section: ".struct_ops.link"))
        let first = try #require(try policy.runtime.register(object: object.id).first)
        let link = try #require(first.linkID)
        let faults = try forEachFault(ENOMEM) { call in
            let before = try #require(policy.runtime.link(link)?.map).id
            let charged = policy.runtime.memoryCharged(to: 0)
            do {
                _ = try policy.runtime.update(.id(before), object: object.id)
                return true
            } catch let error as OpsError {
                #expect(error.errno == ENOMEM)
                #expect(policy.runtime.link(link)?.map?.id == before)
                #expect(policy.runtime.memoryCharged(to: 0) == charged)
                #expect(try policy.runtime.registrations().count == 1)
                return false
            }
        }
        #expect(faults >= 4)
        try policy.runtime.unregister(.name("upd"))
        try policy.runtime.close(object: object.id)
        try policy.expectNothingLeft()
        #expect(try codeMappings("upd") == 0)
    }

    @Test("an instance of a world")
    func instantiate() throws {
        let policy = try PolicyRuntime()
        let map = try policy.register(PolicyObject.source(name: "wld"))
        let charged = policy.runtime.memoryCharged(to: 0)
        let faults = try forEachFault(ENOMEM) { call in
            do {
                try policy.runtime.instantiate([map.id], world: nil).close()
                return true
            } catch let error as OpsError {
                #expect(error.errno == ENOMEM)
                return false
            }
        }
        #expect(faults >= 4)
        #expect(policy.runtime.memoryCharged(to: 0) == charged)
        #expect(map.users == 1)
        try policy.runtime.unregister(.id(map.id))
        try policy.expectNothingLeft()
    }

    @Test("every limit of memory up to what is needed")
    func memoryLimits() throws {
        let bytes = try BPFCompiler.compile(PolicyObject.source(section: ".struct_ops.link"))
        var refused = 0
        for limit in stride(from: 0, through: 1 << 16, by: 256) {
            let policy = try PolicyRuntime(memoryLimit: limit)
            do {
                let info = try #require(try policy.runtime.register(bytes, name: "pol.bpf.o").first)
                #expect(policy.runtime.memoryCharged(to: 0) <= limit)
                let world = try policy.runtime.instantiate([info.id], world: nil, uid: 7)
                world.close()
                try policy.runtime.unregister(.id(info.id))
                try policy.expectNothingLeft("limit \(limit)")
                break
            } catch let error as OpsError {
                refused += 1
                #expect(error.errno == OpsError.enomem)
                for info in try policy.runtime.registrations() { try policy.runtime.unregister(.id(info.id)) }
                try policy.expectNothingLeft("limit \(limit)")
            }
        }
        #expect(refused > 10)
    }
}
