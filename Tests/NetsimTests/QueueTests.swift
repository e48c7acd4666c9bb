import Testing

@testable import Netsim

/// Each queue's law against what its RFC or paper says it does.
@Suite("Queues") struct QueueTests {
    static func packet(_ flow: UInt32 = 0, at time: Nanoseconds = 0, length: UInt16 = 1448) -> Packet {
        Packet(
            serviceEnd: time, flow: flow, generation: 0, seq: 0, tsval: 0, tsecr: 0, length: length,
            wireLength: length + 52, hop: 0, flags: [])
    }

    // MARK: CoDel, RFC 8289

    /// A queue that always holds packets of the same age: what CoDel drops then follows its control law alone.
    private static func dropTimes(sojourn: Nanoseconds, until end: Nanoseconds, ecn: Bool = false) -> (
        drops: [Nanoseconds], marked: UInt64
    ) {
        var codel = CoDel(.init(ecn: ecn))
        var drops: [Nanoseconds] = []
        var marked: UInt64 = 0
        var now: Nanoseconds = 0
        while now < end {
            var queue = PacketQueue()
            for _ in 0..<4 {
                var packet = packet(at: now - sojourn)
                if ecn { packet.flags.insert(.ect) }
                queue.append(packet)
            }
            let before = marked
            _ = codel.next(at: now, from: &queue, marked: &marked) { _ in drops.append(now) }
            if marked > before { drops.append(now) }
            now += 100 * .microsecond
        }
        return (drops, ecn ? marked : 0)
    }

    @Test("CoDel leaves a queue alone whose delay stays below target")
    func codelToleratesShortDelay() {
        #expect(Self.dropTimes(sojourn: 4 * .millisecond, until: 5 * .second).drops.isEmpty)
    }

    @Test(
        "CoDel drops first after one interval above target, then at intervals over the square root of the count"
    )
    func codelFollowsItsControlLaw() {
        let drops = Self.dropTimes(sojourn: 20 * .millisecond, until: 2 * .second).drops
        #expect(drops.first == 100 * .millisecond)
        var expected = 100.0
        for (index, time) in drops.prefix(20).enumerated() {
            #expect(abs(Double(time) / 1e6 - expected) < 0.11, "drop \(index)")
            expected += 100 / Double(index + 1).squareRoot()
        }
        #expect(drops.count > 20)
    }

    @Test("CoDel marks ECT packets by the same law")
    func codelMarks() {
        let (drops, marked) = Self.dropTimes(sojourn: 20 * .millisecond, until: .second, ecn: true)
        #expect(UInt64(drops.count) == marked)
        #expect(drops == Self.dropTimes(sojourn: 20 * .millisecond, until: .second).drops)
    }

    @Test("CoDel never takes the last packet of a queue: what holds one packet is not standing")
    func codelSparesTheLastPacket() {
        var codel = CoDel(.init())
        var dropped = 0
        var marked: UInt64 = 0
        for step in 0..<1000 {
            var queue = PacketQueue()
            let now = Nanoseconds(step) * .millisecond
            queue.append(Self.packet(at: now - .second))
            let packet = codel.next(at: now, from: &queue, marked: &marked) { _ in dropped += 1 }
            #expect(packet != nil)
        }
        #expect(dropped == 0)
    }

    @Test("CoDel that starts again soon goes on near its last rate")
    func codelRemembersItsRate() {
        var codel = CoDel(.init())
        var marked: UInt64 = 0
        var counts: [UInt32] = []
        func run(from start: Nanoseconds, for span: Nanoseconds, sojourn: Nanoseconds) {
            var now = start
            while now < start + span {
                var queue = PacketQueue()
                for _ in 0..<4 { queue.append(Self.packet(at: now - sojourn)) }
                let wasDropping = codel.isDropping
                _ = codel.next(at: now, from: &queue, marked: &marked) { _ in }
                if codel.isDropping, !wasDropping { counts.append(codel.count) }
                now += .millisecond
            }
        }
        run(from: 0, for: .second, sojourn: 20 * .millisecond)
        run(from: .second, for: 10 * .millisecond, sojourn: 0)
        run(from: 1010 * .millisecond, for: 200 * .millisecond, sojourn: 20 * .millisecond)
        run(from: 1210 * .millisecond, for: 10 * .second, sojourn: 0)
        run(from: 11_210 * .millisecond, for: 200 * .millisecond, sojourn: 20 * .millisecond)
        #expect(counts.count == 3)
        #expect(counts[0] == 1 && counts[1] > 2 && counts[2] == 1)
    }

    @Test(
        "the integer square root is exact",
        arguments: [0, 1, 2, 3, 4, 15, 16, 1 << 62, UInt64.max, 10_000_000_000_000_000])
    func squareRoot(value: UInt64) {
        let root = CoDel.squareRoot(value)
        #expect(root * root <= value)
        let (square, overflow) = (root + 1).multipliedReportingOverflow(by: root + 1)
        #expect(overflow || square > value)
    }

    // MARK: FQ-CoDel, RFC 8290

    private static func drain(_ queue: inout FQCoDel, count: Int) -> [UInt32] {
        var marked: UInt64 = 0
        return (0..<count).compactMap { _ in queue.next(at: 0, marked: &marked) { _ in }?.flow }
    }

    @Test("FQ-CoDel shares by bytes: small packets get more turns than large ones")
    func fqCodelSharesBytes() {
        var queue = FQCoDel(.init(), seed: 7)
        for _ in 0..<200 { queue.append(Self.packet(0, length: 1448), limit: .max) { _ in } }
        for _ in 0..<2000 { queue.append(Self.packet(1, length: 98), limit: .max) { _ in } }
        #expect(queue.queueIndex(of: Self.packet(0)) != queue.queueIndex(of: Self.packet(1)))
        let served = Self.drain(&queue, count: 550)
        let large = served.count { $0 == 0 }
        #expect((48...52).contains(large), "\(large) large among 550")
    }

    @Test("FQ-CoDel serves a flow that has just begun before those that queue, for one quantum")
    func fqCodelPrefersNewFlows() {
        var queue = FQCoDel(.init(), seed: 7)
        for _ in 0..<10 { queue.append(Self.packet(0), limit: .max) { _ in } }
        #expect(Self.drain(&queue, count: 3) == [0, 0, 0])
        for _ in 0..<4 { queue.append(Self.packet(1), limit: .max) { _ in } }
        // Two packets use up its quantum of 1514 bytes; as an old flow it then has 28 bytes left, so that it may send before
        // the other, which owes 1472.
        #expect(Self.drain(&queue, count: 4) == [1, 1, 1, 0])
    }

    @Test("FQ-CoDel drops from the head of the longest queue when its limit is reached")
    func fqCodelDropsFromTheLongest() {
        var queue = FQCoDel(.init(), seed: 7)
        var dropped: [UInt32] = []
        for _ in 0..<10 { queue.append(Self.packet(0), limit: 15_000) { dropped.append($0.flow) } }
        for _ in 0..<3 { queue.append(Self.packet(1), limit: 15_000) { dropped.append($0.flow) } }
        #expect(dropped == [0, 0, 0])
        #expect(queue.bytes == 15_000 && queue.count == 10)
    }

    // MARK: PIE, RFC 8033

    @Test("PIE's probability moves by alpha and beta, in small steps while it is small")
    func pieUpdatesItsProbability() {
        var pie = PIE(.init())
        pie.advance(delay: 25 * .millisecond)
        // 0.125 x 10 ms + 1.25 x 25 ms, over 2048 as the probability is still 0.
        #expect(abs(pie.probability - 0.0325 / 2048) < 1e-12)
        let first = pie.probability
        pie.advance(delay: 25 * .millisecond)
        #expect(
            abs(pie.probability - (first + 0.00125 / 128)) < 1e-12
                || abs(pie.probability - (first + 0.00125 / 512)) < 1e-12)
    }

    @Test("PIE's probability grows by at most 2 % a step from 10 % on, and decays when the queue is empty")
    func pieCapsAndDecays() {
        var pie = PIE(.init())
        for _ in 0..<2000 where pie.probability < 0.1 { pie.advance(delay: 100 * .millisecond) }
        let before = pie.probability
        pie.advance(delay: .second)
        #expect(abs(pie.probability - before - 0.02) < 1e-12)
        for _ in 0..<30 { pie.advance(delay: .second) }
        for _ in 0..<2 { pie.advance(delay: 900 * .millisecond) }
        for delay in stride(from: 900, through: 0, by: -100) {
            pie.advance(delay: Nanoseconds(delay) * .millisecond)
        }
        let idle = pie.probability
        pie.advance(delay: 0)
        #expect(
            idle > 0 && abs(pie.probability - (idle - 0.125 * 0.015 / (idle < 0.1 ? 2 : 1)) * 0.98) < 1e-9)
    }

    @Test("PIE lets a burst pass for 150 ms, then drops near its probability")
    func pieAllowsBursts() {
        var pie = PIE(.init())
        var random = SplitMix64(seed: 3)
        var firstDrop: Nanoseconds?
        for step in 0..<10_000 where firstDrop == nil {
            let now = Nanoseconds(step) * .millisecond
            let verdict = pie.decide(
                at: now, serviceEnd: now + 200 * .millisecond, backlog: 1_000_000, random: &random)
            if verdict != .pass { firstDrop = now }
        }
        #expect(firstDrop.map { $0 > 150 * .millisecond } ?? false)
    }

    @Test("PIE marks ECT only up to a probability of 10 %")
    func pieMarksWhileLow() {
        var pie = PIE(.init(ecn: true))
        var random = SplitMix64(seed: 3)
        var verdicts: [Bool: Set<Bool>] = [:]
        for step in 0..<20_000 {
            let now = Nanoseconds(step) * .millisecond
            let verdict = pie.decide(
                at: now, serviceEnd: now + 60 * .millisecond, backlog: 1_000_000, random: &random)
            if verdict != .pass { verdicts[pie.probability <= 0.1, default: []].insert(verdict == .mark) }
        }
        #expect(verdicts[true] == [true] && verdicts[false] == [false])
    }

    // MARK: RED, Floyd and Jacobson 1993

    private static func red(weight: Double = 1, gentle: Bool = true, probability: Double = 0.1) -> RED {
        RED(
            .init(
                minBytes: 10_000, maxBytes: 30_000, probability: probability, weight: weight, gentle: gentle,
                ecn: false))
    }

    @Test(
        "RED drops nothing below min, as many as its probability between min and max, everything beyond",
        arguments: [
            (9_999, true, 0.0), (20_000, true, 0.0952), (33_000, true, 0.377), (60_000, true, 1.0),
            (30_000, false, 1.0),
        ])
    func redFollowsItsCurve(backlog: UInt64, gentle: Bool, expected: Double) {
        var red = Self.red(gentle: gentle)
        var random = SplitMix64(seed: 5)
        var drops = 0
        for _ in 0..<100_000 where red.decide(backlog: backlog, idlePackets: 0, random: &random) != .pass {
            drops += 1
        }
        // The paper's spacing: the n-th packet after a drop goes with pb / (1 - n pb), so the mean distance is shorter than 1/pb.
        #expect(abs(Double(drops) / 100_000 - expected) < 0.02, "\(drops)")
    }

    @Test("RED's average follows slowly, and falls while the link is idle")
    func redAverages() {
        var red = Self.red(weight: 0.002)
        var random = SplitMix64(seed: 5)
        for _ in 0..<500 { _ = red.decide(backlog: 50_000, idlePackets: 0, random: &random) }
        // 1 - 0.998^500
        #expect(abs(red.average - 50_000 * 0.6325) < 10)
        _ = red.decide(backlog: 0, idlePackets: 500, random: &random)
        #expect(abs(red.average - 50_000 * 0.6325 * 0.3675 * 0.998) < 10)
    }

    @Test("RED spaces drops evenly: never further apart than one over its probability")
    func redSpacesDrops() {
        var red = Self.red()
        var random = SplitMix64(seed: 5)
        var (gap, longest) = (0, 0)
        for _ in 0..<100_000 {
            gap += 1
            if red.decide(backlog: 20_000, idlePackets: 0, random: &random) != .pass {
                longest = max(longest, gap)
                gap = 0
            }
        }
        #expect(longest <= 21 && longest >= 19, "\(longest)")
    }
}
