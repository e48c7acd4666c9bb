import BPF
import CShim
import Foundation
import Glibc
import Testing
import Verifier

@testable import OpsCore

@Suite("Ring buffers") struct RingBufferTests {
    static func map(_ size: Int = 4096) -> MapDescription {
        MapDescription(name: "ring", type: .ringbuf, keySize: 0, valueSize: 0, maxEntries: size)
    }

    private func make(_ size: Int = 4096) throws -> (Instance, RingBufferMap) {
        let instance = try Instance(maps: [Self.map(size)])
        return (instance, try #require(instance.maps[0] as? RingBufferMap))
    }

    private func consumed(_ ring: RingBufferMap) -> [[UInt8]] {
        var all: [[UInt8]] = []
        ring.consume { all.append([UInt8]($0)) }
        return all
    }

    @Test("random records come out as they went in, in order and in one piece", arguments: [UInt64(1), 2, 3])
    func model(seed: UInt64) throws {
        let (_, ring) = try make()
        var open: [(address: UInt, bytes: [UInt8])] = []
        var written: [(address: UInt, bytes: [UInt8], isOpen: Bool, isDiscarded: Bool)] = []
        var random = seed
        for _ in 0..<4000 {
            let draw = SplitMix64.next(&random)
            switch draw % 5 {
            case 0...1:
                let count = Int(draw >> 16) % 300
                guard let record = ring.reserve(UInt64(count)) else { continue }
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: draw >> 40), count: count)
                UnsafeMutableRawBufferPointer(start: record, count: count).copyBytes(from: bytes)
                open.append((UInt(bitPattern: record), bytes))
                written.append((UInt(bitPattern: record), bytes, true, false))
                #expect(ring.reservedByteCount(at: UInt(bitPattern: record)) == count)
            case 2...3:
                guard !open.isEmpty else { continue }
                let record = open.remove(at: Int(draw >> 32) % open.count)
                let discards = draw >> 50 & 1 == 1
                #expect(ring.commit(record.address, discards: discards))
                #expect(!ring.commit(record.address, discards: discards), "a second time")
                let index = try #require(written.firstIndex { $0.isOpen && $0.address == record.address })
                written[index].isOpen = false
                written[index].isDiscarded = discards
            default:
                #expect(ring.count == written.count)
                let ready = written.prefix { !$0.isOpen }
                #expect(consumed(ring) == ready.filter { !$0.isDiscarded }.map(\.bytes))
                written.removeFirst(ready.count)
            }
        }
    }

    @Test("sizes up to the ring's less its header fit, and nothing beyond")
    func sizes() throws {
        let (_, ring) = try make()
        #expect(ring.reserve(4089) == nil && ring.reserve(1 << 30) == nil && ring.reserve(.max) == nil)
        #expect(ring.reserve(4088) == nil, "as in the kernel, a ring is never quite full")
        let record = try #require(ring.reserve(4080))
        #expect(ring.reserve(0) == nil)
        #expect(ring.commit(UInt(bitPattern: record), discards: true))
        #expect(ring.reserve(8) == nil, "a discarded record takes its place until it is consumed")
        #expect(consumed(ring) == [])
        #expect(ring.reserve(4080) != nil)
    }

    @Test("the consumer stops at a record that is being written")
    func busy() throws {
        let (_, ring) = try make()
        let first = try #require(ring.reserve(8)), second = try #require(ring.reserve(8))
        second.storeBytes(of: 2, as: UInt64.self)
        first.storeBytes(of: 1, as: UInt64.self)
        #expect(ring.commit(UInt(bitPattern: second), discards: false))
        #expect(consumed(ring) == [])
        #expect(try ring.elements().isEmpty)
        #expect(ring.commit(UInt(bitPattern: first), discards: false))
        #expect(try ring.elements().map(\.value) == [HashMapTests.bytes(1), HashMapTests.bytes(2)])
        #expect(consumed(ring) == [HashMapTests.bytes(1), HashMapTests.bytes(2)])
        #expect(ring.query(0) == 0 && ring.query(2) == 32 && ring.query(3) == 32)
    }

    @Test("submit and discard leave alone what is no record")
    func hostileAddresses() throws {
        let (instance, ring) = try make()
        let record = UInt(bitPattern: ring.reserve(64))
        // Bytes that look like the header of a reserved record.
        UnsafeMutableRawPointer(bitPattern: record)?.storeBytes(of: 1 << 31 | 8, as: UInt64.self)
        let submit = UInt64(try #require(HelperTable.base[132]).address)
        for address in [0, 1, record + 16, record - 8, record + 4096, record + 1, UInt.max] {
            #expect(ops_call_helper(submit, UInt64(address), 0, 0, 0, 0, instance.block) == 0)
        }
        #expect(ring.reservedByteCount(at: record) == 64)
        #expect(instance.block.pointee.records == 0)
    }

    @Test("quiescence hands records to the instance's consumer, and to nobody without one")
    func consumer() throws {
        let (instance, ring) = try make()
        let output = UInt64(try #require(HelperTable.base[130]).address)
        let handle = UInt64(UInt(bitPattern: Unmanaged.passUnretained(ring as RuntimeMap).toOpaque()))
        func write(_ value: UInt64) -> UInt64 {
            withUnsafeBytes(of: value) {
                ops_call_helper(
                    output, handle, UInt64(UInt(bitPattern: $0.baseAddress)), 8, 0, 0, instance.block)
            }
        }
        #expect(write(1) == 0)
        instance.quiesce()
        #expect(ring.count == 1)
        var seen: [UInt64] = []
        instance.onRecord = { map, bytes in
            #expect(map == 0)
            seen.append(bytes.load(as: UInt64.self))
        }
        #expect(write(2) == 0)
        instance.quiesce()
        #expect(seen == [1, 2] && ring.count == 0)
        for value in UInt64(0)..<2000 {
            #expect(write(value) == 0)
            instance.quiesce()
        }
        #expect(seen.count == 2002 && seen.last == 1999)
        instance.onRecord = nil
        for _ in 0..<255 { #expect(write(0) == 0) }
        #expect(write(0) == HelperAnswer.error(EAGAIN))
    }

    @Test("its memory is charged, and comes from a limited stock")
    func memory() throws {
        let (instance, ring) = try make(1 << 16)
        #expect(ring.memoryCharge == 1 << 16 && instance.memoryCharge > 1 << 16)
        var configuration = Instance.Configuration()
        configuration.memoryLimitBytes = 1 << 16
        #expect(
            errno { () throws(OpsError) in
                _ = try Instance(maps: [Self.map(1 << 17)], configuration: configuration)
            } == ENOMEM)
    }

    /// Other tests make ring buffers at the same time, so the file behind this one's memory is what to look for.
    @Test("nothing stays mapped or open")
    func leaks() throws {
        let inode = try fileOfOne()
        #expect(try mappings().filter { $0.contains(" \(inode) ") }.isEmpty)
    }

    private func mappings() throws -> [String] { try OwnMappings.lines(containing: "opsd:ring") }

    /// Makes a ring buffer, looks at it and drops it.
    private func fileOfOne() throws -> Substring {
        let (instance, ring) = try make()
        return try withExtendedLifetime(instance) {
            let start = String(ring.address, radix: 16)
            let line = try #require(try mappings().first { $0.hasPrefix(start) })
            let inode = try #require(line.split(separator: " ").dropFirst(4).first)
            for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
                var status = stat()
                guard stat("/proc/self/fd/\(entry)", &status) == 0 else { continue }
                #expect(String(status.st_ino) != inode, "descriptor \(entry)")
            }
            return inode
        }
    }
}
