import Foundation
import KernelABI
import Testing

@testable import Netsim

@Suite("Callback log") struct CallLogTests {
    static func log(_ text: String) throws -> (result: String, lines: [[String: Any]], bytes: [UInt8]) {
        let memory = MemorySink()
        var outputs = SimulationOutputs()
        outputs.calls = memory.sink
        let result = try Run.json(text, outputs)
        let lines = try memory.text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        return (result, lines, memory.bytes)
    }

    static let scenario = """
        duration: 3s
        seed: 5
        links: {l: {rate: 15Mbit, delay: 5ms, buffer: 30p, loss: 0.5%, mark: 20p}}
        flows:
          - {name: a, cc: cubic, path: [l], rtt: 30ms}
          - {name: b, cc: bbr, receiver_cc: reno, path: [l], rtt: 20ms}
          - {name: c, cc: dctcp, path: [l], rtt: 25ms, app: {transfer: 60kB, count: 10, gap: 20ms}}
        record: off
        """

    @Test("a watched run gives the result of one that nobody watches, and equal input equal bytes")
    func changesNothing() throws {
        let (result, _, bytes) = try Self.log(Self.scenario)
        #expect(try Run.json(Self.scenario) == result)
        #expect(try Self.log(Self.scenario).bytes == bytes)
    }

    @Test("every op is there, with its arguments, answer and what it changed")
    func contents() throws {
        let lines = try Self.log(Self.scenario).lines
        func calls(_ flow: String, _ op: String) -> [[String: Any]] {
            lines.filter { $0["flow"] as? String == flow && $0["op"] as? String == op }
        }
        func changes(_ line: [String: Any]) -> [String: [Int]] { line["changed"] as? [String: [Int]] ?? [:] }
        #expect(calls("a", "init").count == 2)
        #expect(calls("c", "init").count > 2)
        #expect(Set(calls("c", "init").compactMap { $0["side"] as? String }) == ["sender", "receiver"])

        // In slow start cubic's window grows by what was acknowledged.
        let first = try #require(calls("a", "cong_avoid").first)
        let acked = try #require((first["args"] as? [String: Int])?["acked"])
        #expect(changes(first)["snd_cwnd"] == [10, 10 + acked])
        let ssthresh = try #require(calls("a", "ssthresh").first)
        #expect(try #require(ssthresh["result"] as? Int) >= 2)
        // BBR decides in cong_control alone, and keeps its state in the private area.
        let control = calls("b", "cong_control")
        #expect(control.count > 100 && calls("b", "cong_avoid").isEmpty)
        #expect(control.contains { changes($0)["sk_pacing_rate"] != nil })
        #expect(control.contains { line in changes(line).keys.contains { $0.hasPrefix("icsk_ca_priv[") } })
        #expect((control[0]["args"] as? [String: Int])?["delivered"] != nil)
        #expect(calls("c", "cwnd_event").contains { $0["side"] as? String == "receiver" })
    }

    @Test("only fields that programs may write change")
    func writableOnly() throws {
        let lines = try Self.log(Self.scenario).lines
        let allowed: Set<String> = [
            "sk_pacing_rate", "sk_pacing_status", "icsk_ack.pending", "snd_cwnd", "snd_cwnd_cnt",
            "snd_cwnd_stamp", "snd_ssthresh", "ecn_flags", "app_limited",
        ]
        for line in lines {
            for name in try #require(line["changed"] as? [String: Any]).keys {
                #expect(allowed.contains(name) || name.hasPrefix("icsk_ca_priv["), "\(name)")
            }
        }
    }
}

@Suite("Names of socket fields") struct SocketFieldsTests {
    @Test("the fields of BTF are read where C has them")
    func values() throws {
        let world = try Run.world(Reference.p2("cubic", duration: "2s"))
        world.run(until: 1_900_000_000)
        let fields = SocketFields()
        let tp = world.engine.pointee.flows.pointee.sender.pointee
        let bytes = fields.read(world.engine.pointee.flows.pointee.sender)
        func value(_ name: String) throws -> Int128 {
            fields.value(try #require(fields.fields.first { $0.name == name }, "\(name)"), in: bytes)
        }
        #expect(try value("snd_cwnd") == Int128(tp.snd_cwnd) && tp.snd_cwnd > 0)
        #expect(try value("srtt_us") == Int128(tp.srtt_us) && tp.srtt_us > 0)
        #expect(try value("sk_pacing_rate") == Int128(tp.inet_conn.icsk_inet.sk.sk_pacing_rate))
        #expect(try value("icsk_ca_priv[3]") == Int128(tp.inet_conn.icsk_ca_priv.3))
        #expect(try value("icsk_ca_state") == Int128(tp.inet_conn.icsk_ca_state))
        #expect(try value("icsk_ca_initialized") == 1)
        #expect(try value("undo_retrans") == Int128(tp.undo_retrans))
        #expect(try value("rx_opt.sack_ok") == Int128(tp.rx_opt.sack_ok))
        #expect(Set(fields.fields.map(\.name)).count > 150)
        withExtendedLifetime(world) {}
    }
}

@Suite("Stopping to look") struct StopPointTests {
    static func dump(_ point: StopPoint) throws -> WorldDump? {
        let world = try Run.world(CallLogTests.scenario)
        var outputs = SimulationOutputs()
        outputs.stop = point
        let writers = outputs.attach(to: world)
        Run.toEnd(world)
        return writers.dump
    }

    @Test("at a time: every open socket as it is then")
    func time() throws {
        let dump = try #require(try Self.dump(.time(1_000_000_000)))
        let world = try Run.world(CallLogTests.scenario)
        world.run(until: 999_999_999)
        #expect(dump.time == 1_000_000_000 && dump.call == nil)
        for (index, name) in ["a", "b"].enumerated() {
            let socket = try #require(dump.sockets.first { $0.flow == name && $0.side == "sender" })
            #expect(socket.control == (name == "a" ? "cubic" : "bbr"))
            let cwnd = socket.fields.first { $0.name == "snd_cwnd" }?.value
            #expect(cwnd == Int128(world.engine.pointee.flows[index].sender.pointee.snd_cwnd))
        }
    }

    @Test("at an op: the first call, before it runs")
    func op() throws {
        let dump = try #require(try Self.dump(.op("ssthresh", flow: "a")))
        let first = try #require(
            try CallLogTests.log(CallLogTests.scenario).lines.first {
                $0["flow"] as? String == "a" && $0["op"] as? String == "ssthresh"
            })
        #expect(Double(dump.time) / 1e9 == first["t_s"] as? Double)
        #expect(dump.sockets.count == 1 && dump.call?.op == "ssthresh")
        #expect(try Self.dump(.op("ssthresh", flow: "nobody")) == nil)
        #expect(try #require(try Self.dump(.op("init", flow: "*"))).call?.flow == "b")
    }

    @Test("what is written as a stop point")
    func parsing() {
        #expect(StopPoint.parse(op: "flow a op ssthresh") == .op("ssthresh", flow: "a"))
        #expect(StopPoint.parse(op: "flow a op nothing") == nil && StopPoint.parse(op: "a ssthresh") == nil)
        #expect(StopPoint.parse(time: "1.25s") == .time(1_250_000_000) && StopPoint.parse(time: "1") == nil)
    }
}
