internal import OpsCore

extension ScenarioParser {
    /// A link whose sizes may still wait for the base RTTs of its flows.
    struct LinkDraft {
        var name: String
        var rate: [Scenario.RateStep]
        var trace: [UInt32]?
        var delay: Int64
        var buffer: ScenarioNode
        var mark: ScenarioNode?
        var members: [String: ScenarioNode]
    }

    func linkEntries(
        _ node: ScenarioNode?, _ root: ScenarioNode
    ) throws(OpsError) -> [(name: String, node: ScenarioNode)] {
        guard let node else { throw root.refuse("links is missing", accepted: "links: {bottleneck: {…}}") }
        var all: [(name: String, node: ScenarioNode)] = []
        for (key, value) in try node.entries(limit: Scenario.Limit.links) {
            all.append((try key.name(), value))
        }
        guard !all.isEmpty else { throw node.refuse("there is no link", accepted: "at least one") }
        return all
    }

    func parseLinks(_ entries: [(name: String, node: ScenarioNode)]) throws(OpsError) -> [LinkDraft] {
        var drafts: [LinkDraft] = []
        for (name, node) in entries { drafts.append(try parseLink(name, node)) }
        return drafts
    }

    private func parseLink(_ name: String, _ node: ScenarioNode) throws(OpsError) -> LinkDraft {
        let members = try node.mapping([
            "rate", "delay", "buffer", "mark", "queue", "loss", "outage", "jitter", "reorder", "duplicate",
        ])
        guard let rate = members["rate"] else {
            throw node.refuse("rate is missing", accepted: "rate: 50Mbit")
        }
        guard let delay = members["delay"] else {
            throw node.refuse("delay is missing", accepted: "delay: 20ms")
        }
        guard let buffer = members["buffer"] else {
            throw node.refuse("buffer is missing", accepted: "buffer: 250kB")
        }
        let trace = try parseTrace(rate)
        let rateSteps: [Scenario.RateStep]
        if let trace { rateSteps = Self.meanRate(of: trace) } else { rateSteps = try parseRate(rate) }
        return LinkDraft(
            name: name, rate: rateSteps, trace: trace, delay: try delay.time(), buffer: buffer,
            mark: members["mark"], members: members)
    }

    private func parseRate(_ node: ScenarioNode) throws(OpsError) -> [Scenario.RateStep] {
        if node.scalar != nil { return [Scenario.RateStep(at: 0, bitsPerSecond: try node.rate())] }
        var steps: [Scenario.RateStep] = []
        for step in try node.list(limit: Scenario.Limit.rateSteps) {
            let members = try step.mapping(["at", "rate"])
            guard let at = members["at"], let rate = members["rate"] else {
                throw step.refuse("incomplete", accepted: "{at: 10s, rate: 20Mbit}")
            }
            let time = try at.time()
            if let last = steps.last, time <= last.at {
                throw at.refuse("not after the step before", accepted: "ascending times")
            }
            if steps.isEmpty, time != 0 {
                throw at.refuse("the first step must be at 0s", accepted: "0s")
            }
            steps.append(Scenario.RateStep(at: time, bitsPerSecond: try rate.rate()))
        }
        guard !steps.isEmpty else { throw node.refuse("there is no step", accepted: "at least one") }
        return steps
    }

    /// Sizes in `bdp` need the largest base RTT of the flows on the link.
    func finishLinks(
        _ drafts: [LinkDraft], flows: [Scenario.FlowSpec]
    ) throws(OpsError) -> [Scenario.LinkSpec] {
        var links: [Scenario.LinkSpec] = []
        for (index, draft) in drafts.enumerated() {
            let crossing = flows.filter { $0.path.contains(index) || $0.returnPath.contains(index) }
            let rtt = crossing.map(\.rtt).max() ?? 2 * draft.delay
            // bits/s x ns / 8e9, at most 1e11 x 8.64e13 / 8e9.
            let bdp = UInt64(
                UInt128(draft.rate[0].bitsPerSecond) * UInt128(UInt64(max(rtt, 0))) / 8_000_000_000)
            let accepted = "a size: 250kB, 100p, 1bdp (B kB MB GB KiB MiB p bdp)"
            let parse = { (text: String) in Quantity.size(text, bdp: bdp) }
            var link = Scenario.LinkSpec(
                name: draft.name, rate: draft.rate, trace: draft.trace, delay: draft.delay,
                bufferBytes: try draft.buffer.read(parse, accepted: accepted),
                markBytes: try draft.mark?.read(parse, accepted: accepted))
            try parseModels(draft.members, into: &link) { (node) throws(OpsError) in
                try node.read(parse, accepted: accepted)
            }
            links.append(link)
        }
        return links
    }
}
