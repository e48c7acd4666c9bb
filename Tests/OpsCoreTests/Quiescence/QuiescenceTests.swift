import Foundation
import Synchronization
import Testing

@testable import OpsCore

@Suite("Quiescence") struct QuiescenceTests {
    /// Counts frees.
    final class Freed: Sendable {
        let count = Atomic<Int>(0)
        func note() { count.add(1, ordering: .relaxed) }
        var value: Int { count.load(ordering: .relaxed) }
    }

    @Test("frees at once when nobody takes part")
    func alone() {
        let domain = QuiescenceDomain()
        let freed = Freed()
        domain.retire { freed.note() }
        #expect(freed.value == 1)
        #expect(domain.pendingCount == 0)
    }

    @Test("waits for every participant that was online, and for no later one")
    func waits() {
        let domain = QuiescenceDomain()
        let freed = Freed()
        let first = domain.join()
        let second = domain.join()
        domain.retire { freed.note() }
        let late = domain.join()
        first.announce()
        #expect(freed.value == 0)
        #expect(domain.pendingCount == 1)
        second.announce()
        #expect(freed.value == 1)
        late.leave()
        first.leave()
        second.leave()
    }

    @Test("offline, and gone, keep nobody waiting")
    func offline() {
        let domain = QuiescenceDomain()
        let freed = Freed()
        let idle = domain.join()
        let busy = domain.join()
        idle.goOffline()
        domain.retire { freed.note() }
        #expect(freed.value == 0)
        busy.leave()
        #expect(freed.value == 1)
        idle.goOnline()
        domain.retire { freed.note() }
        #expect(freed.value == 1)
        idle.goOffline()
        #expect(freed.value == 2)
    }

    @Test("a free may retire more, which one announcement frees too")
    func nested() {
        let domain = QuiescenceDomain()
        let freed = Freed()
        domain.retire { domain.retire { freed.note() } }
        #expect(freed.value == 1)
        let me = domain.join()
        domain.retire { domain.retire { freed.note() } }
        #expect(freed.value == 1)
        me.announce()
        #expect(freed.value == 2)
        me.leave()
    }

    /// Worlds read objects that a writer replaces and retires; a freed one is poisoned. Nobody may ever read poison.
    @Test("nobody reads what was freed, under load", .timeLimit(.minutes(30)))
    func underLoad() async {
        let domain = QuiescenceDomain()
        let cell = Atomic<UInt>(0)
        let poison: UInt64 = 0xdead_dead_dead_dead
        func make(_ value: UInt64) -> UInt {
            let pointer = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
            pointer.initialize(to: value)
            return UInt(bitPattern: pointer)
        }
        cell.store(make(1), ordering: .releasing)
        let graveyard = Mutex<[UInt]>([])
        let isDone = Atomic<Bool>(false)
        let poisoned = Freed()
        let readers = (0..<3).map { _ in
            Thread {
                let me = domain.join()
                while !isDone.load(ordering: .relaxed) {
                    for _ in 0..<50 {
                        guard let pointer = UnsafePointer<UInt64>(bitPattern: cell.load(ordering: .acquiring))
                        else {
                            continue
                        }
                        if pointer.pointee == poison { poisoned.note() }
                    }
                    me.announce()
                }
                me.leave()
            }
        }
        for reader in readers { reader.start() }
        for round in 0..<2000 {
            let old = cell.exchange(make(UInt64(round) + 2), ordering: .acquiringAndReleasing)
            domain.retire {
                // Not given back to the allocator until the end, so that a wrong read sees poison and no other value.
                UnsafeMutablePointer<UInt64>(bitPattern: old)?.pointee = poison
                graveyard.withLock { $0.append(old) }
            }
        }
        while domain.pendingCount > 0 { await Task.yield() }
        isDone.store(true, ordering: .relaxed)
        while readers.contains(where: { !$0.isFinished }) { await Task.yield() }
        #expect(poisoned.value == 0)
        #expect(graveyard.withLock { $0.count } == 2000)
        for address in graveyard.withLock({ $0 }) + [cell.load(ordering: .relaxed)] {
            UnsafeMutablePointer<UInt64>(bitPattern: address)?.deallocate()
        }
    }
}

@Suite("Reference counts") struct ReferenceCountTests {
    /// `#expect` cannot take a noncopyable value apart.
    final class Counted: Sendable {
        private let count = ReferenceCount()
        func get() -> Bool { count.get() }
        func put() -> Bool { count.put() }
        var value: Int { count.value }
    }

    @Test("zero stays zero")
    func zeroStays() {
        let counted = Counted()
        #expect(counted.get())
        #expect(!counted.put())
        #expect(counted.put())
        #expect(!counted.get())
        #expect(counted.value == 0)
    }

    @Test("dropping one reference too many is a broken invariant and traps")
    func trapsBelowZero() async {
        await #expect(processExitsWith: .failure) {
            let counted = Counted()
            _ = counted.put()
            _ = counted.put()
        }
    }

    @Test("exactly one of many threads drops the last one", .timeLimit(.minutes(30)))
    func onlyOneIsLast() async {
        for _ in 0..<50 {
            let counted = Counted()
            let last = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    guard counted.get() else { continue }
                    group.addTask {
                        var last = 0
                        for _ in 0..<200 where counted.get() { last += counted.put() ? 1 : 0 }
                        return last + (counted.put() ? 1 : 0)
                    }
                }
                let own = counted.put() ? 1 : 0
                return await group.reduce(own, +)
            }
            #expect(last == 1)
        }
    }
}
