import Netsim

/// Scenarios drawn at random: where congestion controls are used, and somewhat beyond.
struct HuntingGround {
    /// The ops name of what is tried.
    let control: String

    /// The n-th scenario of a seed, whatever came before.
    func scenario(_ number: Int, seed: UInt64) -> YAMLNode {
        var random = SplitMix64(seed: seed)
        random = SplitMix64(seed: random.next() ^ UInt64(number))
        func pick<Value>(_ values: [Value]) -> Value {
            values[min(Int(random.nextUnit() * Double(values.count)), values.count - 1)]
        }
        func chance(_ share: Double) -> Bool { random.nextUnit() < share }

        let hops = chance(0.15) ? ["one", "two"] : ["one"]
        let links = hops.map { name -> (String, YAMLNode) in
            var link: [(String, YAMLNode)] = [
                ("rate", .text(pick(["1Mbit", "2Mbit", "5Mbit", "10Mbit", "20Mbit"]))),
                ("delay", .text("1ms")),
                ("buffer", .text(pick(["0.25bdp", "0.5bdp", "1bdp", "1bdp", "2bdp", "4bdp"]))),
            ]
            if chance(0.4) { link.append(("loss", .text(pick(["0.01%", "0.1%", "0.5%", "1%", "2%"])))) }
            if chance(0.15) { link.append(("jitter", .text(pick(["1ms", "5ms"])))) }
            if chance(0.25) { link.append(("queue", .text(pick(["red", "pie", "codel", "fq_codel"])))) }
            return (name, .map(link))
        }
        let usesECN = chance(0.2)
        let rtts = ["5ms", "10ms", "20ms", "40ms", "80ms", "120ms", "200ms", "300ms"]
        let common = pick(rtts)
        let flows = (0..<pick([1, 1, 2, 2, 3, 4])).map { index -> YAMLNode in
            var flow: [(String, YAMLNode)] = [
                ("name", .text(["a", "b", "c", "d"][index])),
                ("cc", .text(index > 0 && chance(0.2) ? "cubic" : control)),
                ("path", .list((index > 0 && chance(0.3) ? [pick(hops)] : hops).map(YAMLNode.text))),
                ("rtt", .text(chance(0.4) ? pick(rtts) : common)),
            ]
            if index > 0, chance(0.4) { flow.append(("start", .text(pick(["1s", "2s", "4s"])))) }
            if usesECN { flow.append(("ecn", .text("true"))) }
            return .map(flow)
        }
        return .map([
            ("name", .text("hunt")), ("seed", .text(String(1 + random.next() % 1000))),
            ("duration", .text(pick(["8s", "12s"]))), ("links", .map(links)), ("flows", .list(flows)),
            ("record", .text("off")),
        ])
    }
}

extension YAMLNode {
    private static let nowhere = Place(file: "hunt.yaml")

    static func text(_ text: String) -> YAMLNode { YAMLNode(.scalar(text), at: nowhere) }
    static func list(_ elements: [YAMLNode]) -> YAMLNode { YAMLNode(.sequence(elements), at: nowhere) }
    static func map(_ entries: [(String, YAMLNode)]) -> YAMLNode {
        YAMLNode(.mapping(entries.map { Entry(key: .text($0.0), value: $0.1) }), at: nowhere)
    }
}
