import CShim
import Foundation
import Synchronization
import Testing
import Verifier

@testable import OpsCore

@Suite("Worlds", .enabled(if: BPFCompiler.isPresent, "no clang on PATH"))
struct WorldTests {
    /// `total`, which `ssthresh` counts up, in an instance.
    private func total(_ ops: WorldInstance.Ops) throws -> UInt64 {
        let map = try #require(ops.instance.maps.first { $0.description.name.hasSuffix(".bss") })
        return try map.lookup([0, 0, 0, 0]).number(at: 0, byteCount: 4)
    }

    @Test("each has its own data and its own entries, and shares the code")
    func ownData() throws {
        let policy = try PolicyRuntime()
        let map = try policy.register(PolicyObject.source())
        let first = try policy.runtime.instantiate([map.id], world: nil)
        let second = try policy.runtime.instantiate([map.id], world: nil)
        let one = try #require(first.ops(of: map.id))
        let two = try #require(second.ops(of: map.id))
        var state = Policy(value: 9)
        for _ in 0..<3 { #expect(PolicyCalls(kdata: one.kdata).ssthresh(&state) == 9) }
        #expect(PolicyCalls(kdata: two.kdata).ssthresh(&state) == 9)
        #expect(PolicyCalls(kdata: map.kdata).ssthresh(&state) == 9)
        #expect(try total(one) == 3)
        #expect(try total(two) == 1)
        let prime = try #require(policy.runtime.maps().first { $0.fullName.hasSuffix(".bss") })
        let bytes = try policy.runtime.withMap(prime.id) { map throws(OpsError) in
            try map.lookup([0, 0, 0, 0])
        }
        #expect(bytes.number(at: 0, byteCount: 4) == 1)
        #expect(one.kdata.load(as: UInt.self) != two.kdata.load(as: UInt.self))
        #expect(one.opsName == "pol")
        first.close()
        second.close()
        try policy.runtime.unregister(.id(map.id))
        try policy.expectNothingLeft()
    }

    @Test("maps of one object share one instance; a map taken in twice is one")
    func sharing() throws {
        let source = PolicyObject.source(
            extra: """
                SEC(".struct_ops") struct policy_ops other = {
                    .ssthresh = (void *)pol_ssthresh, .adjust = (void *)pol_adjust, .name = "other" };
                """)
        let policy = try PolicyRuntime()
        let infos = try policy.runtime.register(try BPFCompiler.compile(source), name: "two.bpf.o")
        #expect(Set(infos.map(\.name)) == ["pol", "other"])
        let world = try policy.runtime.instantiate(infos.map(\.id), world: nil)
        let ops = infos.compactMap { world.ops(of: $0.id) }
        #expect(ops.count == 2)
        #expect(ops[0].block == ops[1].block)
        #expect(try world.add(infos[0].id) === ops[0])
        #expect(world.ops.count == 2)
        world.close()
        for info in infos { try policy.runtime.unregister(.id(info.id)) }
        try policy.expectNothingLeft()
    }

    @Test("unregister while a world uses it shows TOBEFREE with its users, then it is gone")
    func toBeFree() throws {
        let policy = try PolicyRuntime()
        let map = try policy.register(PolicyObject.source())
        let world = try policy.runtime.instantiate([map.id], world: nil)
        let ops = try #require(world.ops(of: map.id))
        for _ in 0..<5 { ops.get() }
        // One for the registration, one for the world, five flows.
        #expect(try policy.runtime.registrations().first?.refs == 7)
        try policy.runtime.unregister(.name("pol"))
        let after = try policy.runtime.registrations()
        #expect(after.map(\.state) == [.toBeFree])
        #expect(after.map(\.refs) == [6])
        #expect(try refusal { try policy.runtime.unregister(.name("pol")) }.errno == OpsError.einprogress)
        var state = Policy(value: 3)
        #expect(PolicyCalls(kdata: ops.kdata).ssthresh(&state) == 3, "flows go on")
        for _ in 0..<5 { ops.put() }
        world.close()
        try policy.expectNothingLeft()
    }

    @Test("finds its world, CPUs and seed in the block; instantiating what is not there is refused")
    func block() throws {
        let policy = try PolicyRuntime()
        let map = try policy.register(PolicyObject.source())
        var marker = 0
        try withUnsafeMutablePointer(to: &marker) { pointer in
            let world = try policy.runtime.instantiate([map.id], world: pointer, cpus: 4, seed: 99)
            let ops = try #require(world.ops(of: map.id))
            #expect(ops.block.pointee.world == UnsafeMutableRawPointer(pointer))
            #expect(ops.instance.configuration.cpus == 4)
            #expect(ops.block.pointee.prandom_state == 99)
            #expect(ops.block.pointee.fuel_per_call == 1 << 23)
            world.close()
        }
        let held = policy.runtime.memoryCharged(to: 0)
        #expect(
            try refusal { _ = try policy.runtime.instantiate([map.id, 999], world: nil) }.errno
                == OpsError.enoent)
        #expect(policy.runtime.memoryCharged(to: 0) == held)
        try policy.runtime.unregister(.id(map.id))
        try policy.expectNothingLeft()
    }

    @Test("the job that makes an instance pays for it")
    func charge() throws {
        let policy = try PolicyRuntime()
        let map = try policy.register(PolicyObject.source())
        let world = try policy.runtime.instantiate([map.id], world: nil, uid: 1000)
        #expect(policy.runtime.memoryCharged(to: 1000) > 4096)
        world.close()
        #expect(policy.runtime.memoryCharged(to: 1000) == 0)
        try policy.runtime.unregister(.id(map.id))
        try policy.expectNothingLeft()
    }

    @Test("an op that drops the last reference to itself runs to its end, and is freed at quiescence")
    func lastPutInsideOp() throws {
        let policy = try PolicyRuntime()
        let source = PolicyObject.source(value: "numa() + p->value").replacingOccurrences(
            of: "u32 total;", with: "static long (*const numa)(void) = (void *)42; u32 total;")
        let map = try policy.register(source)
        let thread = policy.runtime.quiescence.join()
        #expect(map.get())
        try policy.runtime.unregister(.id(map.id))
        #expect(map.state == .toBeFree)
        policy.host.insideOp.withLock { $0 = { map.put() } }
        var state = Policy(value: 41)
        #expect(PolicyCalls(kdata: map.kdata).ssthresh(&state) == 42)
        #expect(try policy.runtime.registrations().isEmpty)
        #expect(policy.runtime.quiescence.pendingCount == 1)
        #expect(policy.runtime.memoryCharged(to: 0) > 0)
        thread.announce()
        try policy.expectNothingLeft()
        thread.leave()
    }

    @Test("worlds run on their own threads while registrations come and go", .timeLimit(.minutes(30)))
    func threads() async throws {
        let policy = try PolicyRuntime()
        let source = PolicyObject.source(section: ".struct_ops.link")
        let object = try policy.load(source)
        let info = try #require(try policy.runtime.register(object: object.id).first)
        let link = try #require(info.linkID)
        let wrong = Atomic<Int>(0)
        let calls = Atomic<Int>(0)
        let isDone = Atomic<Bool>(false)
        let runtime = policy.runtime
        let threads = (0..<3).map { number in
            Thread {
                while !isDone.load(ordering: .relaxed) {
                    // A live world: takes whatever is current.
                    guard let current = runtime.link(link)?.map,
                        let world = try? runtime.instantiate([current.id], world: nil)
                    else { continue }
                    var state = Policy(value: Int32(number))
                    for ops in world.ops {
                        ops.get()
                        for _ in 0..<100 {
                            let result = PolicyCalls(kdata: ops.kdata).ssthresh(&state)
                            if result != UInt32(number) { wrong.add(1, ordering: .relaxed) }
                            calls.add(1, ordering: .relaxed)
                        }
                        ops.put()
                    }
                    world.announce()
                    world.close()
                }
            }
        }
        for thread in threads { thread.start() }
        for _ in 0..<60 {
            _ = try runtime.update(.id(try #require(runtime.link(link)?.map).id), object: object.id)
            _ = try runtime.registrations()
            _ = try runtime.dump()
        }
        while calls.load(ordering: .relaxed) < 1000 { await Task.yield() }
        isDone.store(true, ordering: .relaxed)
        while threads.contains(where: { !$0.isFinished }) { await Task.yield() }
        #expect(wrong.load(ordering: .relaxed) == 0)
        try runtime.unregister(.id(try #require(runtime.link(link)?.map).id))
        try runtime.close(object: object.id)
        try policy.expectNothingLeft()
    }
}
