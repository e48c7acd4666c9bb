import KernelABI
import Testing

@testable import Netsim

@Suite("Observers") struct ObserverTests {
    /// Everything that a link, a host or the engine can do to a packet.
    static let scenario = """
        duration: 3s
        seed: 7
        links:
          one: {rate: 20Mbit, delay: 5ms, buffer: 30p, loss: 0.5%, jitter: 1ms, duplicate: 0.2%}
          two: {rate: 15Mbit, delay: 5ms, buffer: 40p, mark: 20p}
          three: {rate: 30Mbit, delay: 1ms, buffer: 100p, queue: fq_codel}
          four: {rate: 30Mbit, delay: 1ms, buffer: 50p, queue: {type: red, ecn: true}}
        flows:
          - {name: a, cc: cubic, path: [one, two], rtt: 30ms}
          - {name: b, cc: dctcp, path: [two, three], rtt: 20ms, ecn: true}
          - {name: c, cc: bbr, path: [three, four], rtt: 25ms, app: {transfer: 50kB, count: 20, gap: 10ms}}
        cross: [{name: x, path: [three], rate: 3Mbit}]
        host: {gro: true}
        record: off
        """
    /// Drop-tail links alone, which have no models unless they are watched.
    static let plain = """
        duration: 3s
        links: {l: {rate: 20Mbit, delay: 5ms, buffer: 30p, mark: 10p}}
        flows:
          - {name: a, count: 2, cc: cubic, path: [l], rtt: 30ms}
          - {name: b, cc: dctcp, path: [l], rtt: 20ms, ecn: true}
        record: off
        """

    /// Counts what it is told, per flow.
    final class Counter: WorldObserver {
        var sent: [UInt32: Int] = [:]
        var received: [UInt32: Int] = [:]
        var dropped = 0
        var marked = 0
        var lost = 0
        var acksSent = 0
        var acksReceived = 0
        var opened = 0
        var closed = 0
        var states: [UInt8] = []

        func observe(_ event: Observation, flow: UInt32, in engine: Engine) {
            switch event {
            case .opened: opened += 1
            case .closed: closed += 1
            case .sent: sent[flow, default: 0] += 1
            case .received: received[flow, default: 0] += 1
            case .ackSent: acksSent += 1
            case .ackReceived: acksReceived += 1
            case .ackProcessed, .moment: break
            case .markedLost: lost += 1
            case .stateChanged(_, let state): states.append(state)
            case .dropped: dropped += 1
            case .marked: marked += 1
            }
        }
    }

    @Test("a watched run gives the result of one that nobody watches", arguments: [scenario, plain])
    func changeNothing(text: String) throws {
        let world = try Run.world(text)
        world.observe([Counter()])
        Run.toEnd(world)
        let watched = String(decoding: world.result(), as: UTF8.self)
        #expect(try Run.json(text) == watched)
    }

    @Test("they are told of every packet, drop and mark", arguments: [scenario, plain])
    func tellEverything(text: String) throws {
        let world = try Run.world(text)
        let counter = Counter()
        world.observe([counter])
        Run.toEnd(world)
        let links = (0..<world.engine.pointee.linkCount).map { world.engine.pointee.links[$0].statistics }
        #expect(counter.dropped == links.reduce(0) { $0 + Int($1.dropped + $1.lost) })
        #expect(counter.marked == links.reduce(0) { $0 + Int($1.marked) })
        #expect(counter.marked > 0 && counter.dropped > 0 && counter.lost > 0)
        #expect(counter.states.contains(CAState.recovery) || counter.states.contains(CAState.cwr))
        for index in 0..<world.flowCount where world.flowNames[index] != "c" {
            let flow = world.engine.pointee.flows + index
            #expect(counter.sent[UInt32(index)] == Int(flow.tp.pointee.segs_out))
            #expect(try #require(counter.received[UInt32(index)]) >= Int(flow.rp.pointee.segs_in))
        }
        #expect(counter.acksReceived <= counter.acksSent && counter.acksReceived > 0)
        world.finish()
        #expect(counter.opened == counter.closed)
    }
}
