internal import OpsCore

// Traffic that arrives by itself: cross traffic, and the sizes of transfers and packets.

extension ScenarioParser {
    func parseCross(
        _ node: ScenarioNode, links: [String], duration: Int64
    ) throws(OpsError) -> [Scenario.CrossSpec] {
        var sources: [Scenario.CrossSpec] = []
        for entry in try node.list(limit: Scenario.Limit.crossSources) {
            let source = try parseSource(entry, links: links, duration: duration)
            guard !sources.contains(where: { $0.name == source.name }) else {
                throw entry.refuse("another source is called '\(source.name)'", accepted: "distinct names")
            }
            sources.append(source)
        }
        return sources
    }

    private func parseSource(
        _ node: ScenarioNode, links: [String], duration: Int64
    ) throws(OpsError) -> Scenario.CrossSpec {
        let members = try node.mapping([
            "name", "path", "rate", "packet", "start", "stop", "on", "off", "random", "arrivals",
        ])
        guard let name = members["name"], let path = members["path"], let rate = members["rate"] else {
            throw node.refuse("incomplete", accepted: "{name: video, path: [bottleneck], rate: 5Mbit}")
        }
        let start = try members["start"]?.time() ?? 0
        let stop = try members["stop"]?.time() ?? duration
        if let node = members["stop"], stop <= start {
            throw node.refuse("not after start", accepted: "start before stop")
        }
        var source = Scenario.CrossSpec(
            name: try name.name(), path: try parsePath(path, links: links), rate: try rate.rate(),
            packet: try members["packet"].map(parseSizes) ?? .fixed(1500), start: start,
            stop: min(stop, duration), on: try members["on"]?.positiveTime(),
            off: try members["off"]?.positiveTime(), isRandom: try members["random"]?.boolean() ?? false)
        guard (source.on == nil) == (source.off == nil) else {
            throw node.refuse("bursts need both lengths", accepted: "on: 500ms, off: 1s")
        }
        if source.isRandom, source.on == nil {
            throw node.refuse("there are no bursts", accepted: "on: 500ms, off: 1s, random: true")
        }
        if let node = members["arrivals"] {
            guard let text = node.scalar, ["constant", "poisson"].contains(text) else {
                throw node.refuse("not accepted", accepted: "constant or poisson")
            }
            source.isPoisson = text == "poisson"
        }
        return source
    }

    /// `100kB`, or one of the distributions.
    func parseSizes(_ node: ScenarioNode) throws(OpsError) -> Scenario.SizeSpec {
        if node.scalar != nil { return .fixed(try positiveSize(node)) }
        let accepted =
            "100kB, {uniform: [10kB, 1MB]}, {exponential: 100kB}, {pareto: 10kB, shape: 1.2, max: 10MB} "
            + "or {choice: [{share: 90%, size: 10kB}, …]}"
        let members = try node.mapping(["uniform", "exponential", "pareto", "shape", "max", "choice"])
        if members.count == 1, let ends = members["uniform"] {
            let sizes = try ends.list(limit: 2)
            guard sizes.count == 2 else { throw ends.refuse("not accepted", accepted: "[10kB, 1MB]") }
            let (low, high) = (try positiveSize(sizes[0]), try positiveSize(sizes[1]))
            guard low <= high else { throw ends.refuse("not ascending", accepted: "[10kB, 1MB]") }
            return .uniform(low, high)
        }
        if members.count == 1, let mean = members["exponential"] {
            return .exponential(mean: try positiveSize(mean))
        }
        if members.count == 3, let low = members["pareto"], let shape = members["shape"],
            let high = members["max"]
        {
            let (least, most, exponent) = (try positiveSize(low), try positiveSize(high), try shape.factor())
            guard least <= most, exponent >= 0.1 else {
                throw node.refuse("not accepted", accepted: accepted)
            }
            return .pareto(low: least, shape: exponent, high: most)
        }
        if members.count == 1, let shares = members["choice"] { return try parseShares(shares) }
        throw node.refuse("not accepted", accepted: accepted)
    }

    private func parseShares(_ node: ScenarioNode) throws(OpsError) -> Scenario.SizeSpec {
        var shares: [Scenario.SizeSpec.Share] = []
        for entry in try node.list(limit: 1000) {
            let members = try entry.mapping(["share", "size"])
            guard let share = members["share"], let size = members["size"] else {
                throw entry.refuse("incomplete", accepted: "{share: 90%, size: 10kB}")
            }
            shares.append(.init(probability: try share.probability(), bytes: try positiveSize(size)))
        }
        let sum = shares.reduce(0) { $0 + $1.probability }
        guard !shares.isEmpty, abs(sum - 1) < 1e-6 else {
            throw node.refuse("the shares do not add up to 100 %", accepted: "shares of 100 % in all")
        }
        return .choice(shares)
    }

    private func positiveSize(_ node: ScenarioNode) throws(OpsError) -> UInt64 {
        let bytes = try node.size()
        guard bytes > 0 else { throw node.refuse("not accepted", accepted: "at least 1B") }
        return bytes
    }
}
