import Foundation
import Synchronization
import Testing

@testable import Netsim

/// Collects what an output writes.
final class MemorySink: Sendable {
    private let content = Mutex<[[UInt8]]>([])

    var sink: OutputSink {
        OutputSink(name: "memory") { bytes in
            self.content.withLock { $0.append(bytes) }
            return 0
        }
    }
    var chunks: [[UInt8]] { content.withLock { $0 } }
    var bytes: [UInt8] { Array(chunks.joined()) }
    var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension Run {
    /// A run to the end with outputs.
    /// - Returns: the result.
    static func json(_ text: String, _ outputs: SimulationOutputs) throws -> String {
        let world = try world(text)
        let writers = outputs.attach(to: world)
        toEnd(world)
        let result = String(decoding: world.result(), as: UTF8.self)
        try writers.finish()
        return result
    }
}

@Suite("Packet capture") struct CaptureTests {
    /// Losses, SACKs, marks, transfers with FINs, both with and without timestamps.
    static func scenario(timestamps: Bool) -> String {
        """
        duration: 4s
        seed: 3
        links:
          one: {rate: 20Mbit, delay: 5ms, buffer: 30p, loss: 1%}
          two: {rate: 15Mbit, delay: 5ms, buffer: 40p, mark: 15p}
        flows:
          - {name: a, cc: cubic, path: [one, two], rtt: 30ms}
          - {name: b, cc: dctcp, path: [two], rtt: 20ms, ecn: true}
          - {name: c, cc: reno, path: [one], rtt: 25ms, app: {transfer: 30kB, count: 30, gap: 10ms}}
        cross: [{name: x, path: [two], rate: 1Mbit}]
        host: {timestamps: \(timestamps)}
        record: off
        """
    }

    static func capture(_ text: String) throws -> (result: String, chunks: [[UInt8]]) {
        let memory = MemorySink()
        var outputs = SimulationOutputs()
        outputs.capture = memory.sink
        return (try Run.json(text, outputs), memory.chunks)
    }

    @Test("equal input gives equal bytes, in chunks of bounded size, and the result of a run without")
    func isDeterministic() throws {
        let text = Self.scenario(timestamps: true)
        let (result, chunks) = try Self.capture(text)
        #expect(try Self.capture(text).chunks == chunks)
        #expect(try Run.json(text) == result)
        #expect(chunks.count > 3 && chunks.allSatisfy { $0.count < 1 << 17 })
    }

    @Test("headers are as long as the packets that the links serve")
    func lengths() throws {
        final class Lengths: WorldObserver {
            var sizes: [UInt16] = []
            func observe(_ event: Observation, flow: UInt32, in engine: Engine) {
                if case .sent(let packet) = event, flow < 3 { sizes.append(packet.wireLength) }
            }
        }
        for timestamps in [true, false] {
            let text = Self.scenario(timestamps: timestamps)
            let world = try Run.world(text)
            let lengths = Lengths()
            world.observe([lengths])
            Run.toEnd(world)
            // Of the sender's packets: source address 10.0.0.1, 12 bytes into the IP header.
            let packets = Self.packets(Array(try Self.capture(text).chunks.joined())).filter {
                $0.bytes[12..<16].elementsEqual([10, 0, 0, 1])
            }
            #expect(packets.map { UInt16($0.length) } == lengths.sizes)
            #expect(
                packets.allSatisfy { UInt16($0.bytes[2]) << 8 | UInt16($0.bytes[3]) == UInt16($0.length) })
        }
    }

    /// Blocks of packets: length before the cut, and what was kept.
    static func packets(_ file: [UInt8]) -> [(length: Int, bytes: [UInt8])] {
        func word(_ at: Int) -> Int { (0..<4).reduce(0) { $0 | Int(file[at + $1]) << (8 * $1) } }
        var packets: [(Int, [UInt8])] = []
        var at = 0
        while at < file.count {
            if word(at) == 6 {
                packets.append((word(at + 24), Array(file[at + 28..<at + 28 + word(at + 20)])))
            }
            at += word(at + 4)
        }
        return packets
    }

    static let tshark = ["/usr/bin/tshark", "/usr/local/bin/tshark"].contains {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    @Test(
        "tshark counts the packets, bytes and re-sent ranges of the result, and finds nothing malformed",
        .enabled(if: tshark, "tshark is not installed (make test-deps)"), arguments: [true, false])
    func agreesWithTshark(timestamps: Bool) throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let (result, chunks) = try Self.capture(Self.scenario(timestamps: timestamps))
        let (json, pcap) = (directory.appending(path: "r.json"), directory.appending(path: "r.pcapng"))
        try Data(result.utf8).write(to: json)
        try Data(chunks.joined()).write(to: pcap)
        let process = Process()
        process.executableURL = Fixture.root.deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Scripts/check-capture")
        process.arguments = [json.path, pcap.path]
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said)")
    }

    @Test("a sink that fails ends the output, and the run says why")
    func failure() throws {
        var outputs = SimulationOutputs()
        outputs.capture = OutputSink(name: "/full") { _ in 28 }
        #expect {
            try Run.json(Self.scenario(timestamps: true), outputs)
        } throws: { error in
            "\(error)".contains("/full")
        }
    }
}
