import Testing

@testable import Netsim

@Suite("Ring") struct RingTests {
    /// A pool for one test.
    final class Pool {
        let handle = PagePool.Handle.allocate(capacity: 1)
        init() { handle.initialize(to: PagePool()) }
        deinit {
            handle.pointee.free()
            handle.deinitialize(count: 1)
            handle.deallocate()
        }
    }

    /// 8 of them fill a page.
    struct Element { var value: UInt64, other: UInt64 }

    @Test("elements stay where they are and keep their numbers, however long the queue gets")
    func keepsNumbers() {
        let pool = Pool()
        var ring = Ring<Element>(pool.handle)
        defer { ring.free() }
        var addresses: [UInt32: UnsafeMutablePointer<Element>] = [:]
        var next: UInt64 = 0
        for length in [1, 7, 8, 9, 200, 3, 1000] {
            for _ in 0..<length {
                ring.append(Element(value: next, other: ~next))
                addresses[ring.tail &- 1] = ring.at(ring.tail &- 1)
                next += 1
            }
            for number in ring.head..<ring.tail {
                #expect(ring.at(number).pointee.value == UInt64(number))
                #expect(ring.at(number) == addresses[number])
            }
            for _ in 0..<(length / 2) { ring.removeFirst() }
        }
        #expect(ring.count == Int(ring.tail) - Int(ring.head))
        #expect(!ring.contains(ring.tail) && ring.contains(ring.head) && !ring.contains(ring.head &- 1))
    }

    @Test("an emptied queue gives its pages to the others")
    func givesPagesBack() {
        let pool = Pool()
        var first = Ring<Element>(pool.handle)
        var second = Ring<Element>(pool.handle)
        defer {
            first.free()
            second.free()
        }
        for value in 0..<100 { first.append(Element(value: UInt64(value), other: 0)) }
        let pages = Set((0..<100).map { UInt(bitPattern: first.at($0)) / UInt(PagePool.pageBytes) })
        #expect(pages.count == 13)
        first.removeAll()
        #expect(first.isEmpty)
        for value in 0..<100 { second.append(Element(value: UInt64(value), other: 0)) }
        let again = Set((0..<100).map { UInt(bitPattern: second.at($0)) / UInt(PagePool.pageBytes) })
        #expect(again == pages)
        // Numbers go on, so that none means two elements.
        first.append(Element(value: 7, other: 0))
        #expect(first.head >= 100 && first.at(first.head).pointee.value == 7)
    }
}
