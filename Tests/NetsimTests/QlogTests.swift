import Foundation
import Synchronization
import Testing

@testable import Netsim

@Suite("qlog") struct QlogTests {
    /// Sinks by flow.
    final class Files: Sendable {
        private let sinks = Mutex<[String: MemorySink]>([:])

        func open(_ flow: String) -> OutputSink {
            sinks.withLock { sinks in
                let memory = MemorySink()
                sinks[flow] = memory
                return memory.sink
            }
        }
        var names: [String] { sinks.withLock { $0.keys.sorted() } }
        subscript(flow: String) -> [UInt8] { sinks.withLock { $0[flow]?.bytes ?? [] } }
    }

    static func logs(_ text: String) throws -> Files {
        let files = Files()
        var outputs = SimulationOutputs()
        outputs.qlog = { files.open($0) }
        _ = try Run.json(text, outputs)
        return files
    }

    /// The records of a JSON text sequence (RFC 7464).
    static func records(_ bytes: [UInt8]) throws -> [[String: Any]] {
        try bytes.split(separator: 0x1e, omittingEmptySubsequences: true).map { record in
            #expect(record.last == 0x0a)
            return try #require(try JSONSerialization.jsonObject(with: Data(record)) as? [String: Any])
        }
    }

    @Test("one file per flow, with the members that qlog 0.3 requires")
    func header() throws {
        let files = try Self.logs(CaptureTests.scenario(timestamps: true))
        #expect(files.names == ["a", "b", "c"])
        for name in files.names {
            let records = try Self.records(files[name])
            let header = try #require(records.first)
            #expect(header["qlog_version"] as? String == "0.3")
            #expect(header["qlog_format"] as? String == "JSON-SEQ")
            #expect(header["title"] is String)
            let trace = try #require(header["trace"] as? [String: Any])
            #expect((trace["vantage_point"] as? [String: Any])?["type"] as? String == "client")
            let common = try #require(trace["common_fields"] as? [String: Any])
            #expect(common["protocol_type"] as? [String] == ["TCP"])
            #expect(common["time_format"] as? String == "relative" && common["reference_time"] as? Int == 0)
            var last = 0.0
            for event in records.dropFirst() {
                let time = try #require(event["time"] as? Double)
                #expect(time >= last)
                last = time
                #expect((event["name"] as? String)?.split(separator: ":").count == 2)
                #expect(event["data"] is [String: Any])
            }
        }
    }

    @Test("every data packet is sent once under its number, and acknowledged or not, and lost ones were sent")
    func packets() throws {
        let records = try Self.records(try Self.logs(CaptureTests.scenario(timestamps: true))["a"])
        var sent: Set<Int> = []
        var acked: Set<Int> = []
        var names: Set<String> = []
        for event in records.dropFirst() {
            let name = try #require(event["name"] as? String)
            names.insert(name)
            let data = try #require(event["data"] as? [String: Any])
            let number = (data["header"] as? [String: Any])?["packet_number"] as? Int
            switch name {
            case "transport:packet_sent": #expect(sent.insert(try #require(number)).inserted)
            case "recovery:packet_lost": #expect(sent.contains(try #require(number)))
            case "transport:packet_received":
                for frame in try #require(data["frames"] as? [[String: Any]]) {
                    for range in try #require(frame["acked_ranges"] as? [[Int]]) {
                        for number in range[0]...range[1] {
                            #expect(sent.contains(number) && acked.insert(number).inserted)
                        }
                    }
                }
            default: break
            }
        }
        #expect(
            names == [
                "connectivity:connection_started", "recovery:parameters_set", "transport:packet_sent",
                "transport:packet_received", "recovery:metrics_updated", "recovery:packet_lost",
                "recovery:congestion_state_updated", "connectivity:connection_closed",
            ])
        #expect(acked.count > 1000 && sent.count >= acked.count)
        let final = records.last { $0["name"] as? String == "recovery:metrics_updated" }
        #expect((final?["data"] as? [String: Any])?.isEmpty == false)
    }

    @Test("equal input gives equal bytes")
    func isDeterministic() throws {
        let text = CaptureTests.scenario(timestamps: false)
        let (one, two) = (try Self.logs(text), try Self.logs(text))
        for name in one.names { #expect(one[name] == two[name] && one[name].count > 1000) }
    }
}

@Suite("Packet numbers of a log") struct SentPacketsTests {
    @Test("cumulative and selective ACKs name each transmission once")
    func acknowledges() {
        var packets = SentPackets()
        // Sequence numbers wrap in between.
        let start = UInt32.max - 2500
        for index in 0..<6 {
            let seq = start &+ UInt32(index) &* 1000
            #expect(packets.add(seq: seq, end: seq &+ 1000) == UInt64(index))
        }
        func at(_ index: UInt32) -> UInt32 { start &+ index &* 1000 }
        #expect(packets.acknowledge(at(1), sacks: []) == [0...0])
        #expect(packets.acknowledge(at(1), sacks: [(at(3), at(4))]) == [3...3])
        #expect(packets.acknowledge(at(1), sacks: [(at(3), at(6))]) == [4...5])
        #expect(packets.number(of: at(1)) == 1)
        #expect(packets.add(seq: at(1), end: at(2)) == 6)
        #expect(packets.number(of: at(1)) == 6)
        #expect(packets.acknowledge(at(6), sacks: []) == [1...2, 6...6])
        #expect(packets.number(of: at(1)) == nil)
        #expect(packets.acknowledge(at(6), sacks: []).isEmpty)
    }
}
