import Glibc
import Testing

@testable import OpsCore

@Suite("Arena") struct ArenaTests {
    @Test("objects are disjoint, zeroed, and reused only after quiescence")
    func reuse() throws {
        let arena = try Arena(byteCount: 1 << 20)
        let pool = try arena.makePool("sock", byteCount: 100)
        let first = try arena.allocate(pool)
        first.storeBytes(of: 7, as: UInt64.self)
        arena.free(first, in: pool)
        let second = try arena.allocate(pool)
        #expect(second != first)
        #expect(first.load(as: UInt64.self) == 7, "readable until quiescence")
        arena.quiesce()
        let third = try arena.allocate(pool)
        #expect(third == first)
        #expect(third.load(as: UInt64.self) == 0)
        #expect(arena.liveCount(pool) == 2)
    }

    @Test("an address serves one type for ever")
    func typeStable() throws {
        let arena = try Arena(byteCount: 1 << 22)
        let small = try arena.makePool("rate_sample", byteCount: 64)
        let large = try arena.makePool("tcp_sock", byteCount: 3000)
        var owner: [UInt: Arena.PoolID] = [:]
        var live: [(UnsafeMutableRawPointer, Arena.PoolID)] = []
        var random: UInt64 = 3
        for _ in 0..<4000 {
            let draw = SplitMix64.next(&random)
            if draw % 3 == 0, !live.isEmpty {
                let (object, pool) = live.remove(at: Int(draw >> 8) % live.count)
                arena.free(object, in: pool)
            } else {
                let pool = draw & 8 == 0 ? small : large
                guard let object = try? arena.allocate(pool) else { continue }
                let address = UInt(bitPattern: object)
                #expect(owner[address, default: pool] == pool)
                owner[address] = pool
                let inside = address + UInt(draw >> 32) % (pool == small ? 64 : 3000)
                let cell = try #require(arena.cell(containing: inside))
                #expect(cell.start == address && cell.pool == pool && cell.isLive)
                live.append((object, pool))
            }
            if draw % 17 == 0 { arena.quiesce() }
        }
        #expect(arena.liveCount == live.count)
    }

    @Test("10,000 flows fit, and only what is used is memory")
    func manyFlows() throws {
        let arena = try Arena()
        let pool = try arena.makePool("flow", byteCount: 4000)
        for _ in 0..<10_000 { _ = try arena.allocate(pool) }
        #expect(arena.claimedByteCount < 64 << 20)
        #expect(arena.byteCount.nonzeroBitCount == 1)
    }

    @Test("a full arena says so")
    func full() throws {
        let arena = try Arena(byteCount: 1)
        #expect(arena.byteCount == 65536)
        let pool = try arena.makePool("object", byteCount: 4096)
        for _ in 0..<16 { _ = try arena.allocate(pool) }
        #expect(errno { () throws(OpsError) in _ = try arena.allocate(pool) } == ENOMEM)
        let late = try arena.makePool("late", byteCount: 8)
        #expect(errno { () throws(OpsError) in _ = try arena.allocate(late) } == ENOMEM)
        #expect(errno { () throws(OpsError) in _ = try arena.makePool("none", byteCount: 0) } == EINVAL)
        #expect(errno { () throws(OpsError) in _ = try Arena(byteCount: 0) } == EINVAL)
        #expect(errno { () throws(OpsError) in _ = try Arena(byteCount: .max) } == EINVAL)
    }

    @Test("bytes after the arena are readable, then the guard")
    func trailing() async throws {
        let arena = try Arena(byteCount: 65536)
        let end = try #require(UnsafeRawPointer(bitPattern: arena.base + UInt(arena.byteCount)))
        #expect(end.load(fromByteOffset: 4095, as: UInt8.self) == 0)
        #expect(!arena.contains(UInt(bitPattern: end)))
        await #expect(processExitsWith: .failure) {
            let arena = try Arena(byteCount: 65536)
            let end = UnsafeRawPointer(bitPattern: arena.base + UInt(arena.byteCount) + 4096)
            print(end?.load(as: UInt8.self) ?? 0)
        }
        await #expect(processExitsWith: .failure) {
            let arena = try Arena(byteCount: 65536)
            print(UnsafeRawPointer(bitPattern: arena.base - 1)?.load(as: UInt8.self) ?? 0)
        }
    }

    @Test("a double free traps")
    func doubleFree() async {
        await #expect(processExitsWith: .failure) {
            let arena = try Arena(byteCount: 65536)
            let pool = try arena.makePool("object", byteCount: 8)
            let object = try arena.allocate(pool)
            arena.free(object, in: pool)
            arena.free(object, in: pool)
        }
    }
}
