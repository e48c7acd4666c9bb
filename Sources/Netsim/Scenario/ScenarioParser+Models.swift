internal import OpsCore

// What a link may do beyond drop-tail service: its queue's law, loss, jitter, reordering, duplication, outages, traces.

extension ScenarioParser {
    typealias SizeReader = (ScenarioNode) throws(OpsError) -> UInt64

    /// - Parameter size: reads a size that may be in packets or bandwidth-delay products.
    func parseModels(
        _ members: [String: ScenarioNode], into link: inout Scenario.LinkSpec, size: SizeReader
    ) throws(OpsError) {
        if let node = members["queue"] { link.queue = try parseQueue(node, buffer: link.bufferBytes, size) }
        if let mark = members["mark"], link.queue != .dropTail {
            throw mark.refuse("marks come from the queue's law", accepted: "'ecn: true' in queue")
        }
        if let node = members["loss"] { link.loss = try parseLoss(node) }
        if let node = members["duplicate"] { link.duplicate = try node.probability() }
        if let node = members["jitter"] { link.jitter = try node.time() }
        if let node = members["reorder"] { link.reorder = try parseReorder(node) }
        if let node = members["outage"] { link.outages = try parseOutages(node) }
    }

    // MARK: Queues

    /// `codel`, or `{type: codel, target: 5ms, …}`.
    private func parseQueue(
        _ node: ScenarioNode, buffer: UInt64, _ size: SizeReader
    ) throws(OpsError) -> Scenario.QueueSpec {
        let types = "drop_tail, red, pie, codel or fq_codel, or {type: codel, target: 5ms}"
        if let type = node.scalar { return try queue(type, [:], node, buffer: buffer, size, types) }
        let entries = try node.entries(limit: 16)
        guard let type = entries.first(where: { $0.0.scalar == "type" })?.1.scalar else {
            throw node.refuse("type is missing", accepted: types)
        }
        let known: [String: [String]] = [
            "drop_tail": [], "red": ["min", "max", "probability", "weight", "gentle", "ecn"],
            "pie": ["target", "update", "burst", "alpha", "beta", "ecn"],
            "codel": ["target", "interval", "ecn"],
            "fq_codel": ["target", "interval", "ecn", "quantum", "queues"],
        ]
        let members = try node.mapping(["type"] + (known[type] ?? []))
        return try queue(type, members, node, buffer: buffer, size, types)
    }

    private func queue(
        _ type: String, _ members: [String: ScenarioNode], _ node: ScenarioNode, buffer: UInt64,
        _ size: SizeReader, _ types: String
    ) throws(OpsError) -> Scenario.QueueSpec {
        switch type {
        case "drop_tail": return .dropTail
        case "red": return .red(try parseRED(members, node, buffer: buffer, size))
        case "pie": return .pie(try parsePIE(members))
        case "codel": return .codel(try parseCoDel(members))
        case "fq_codel":
            var parameters = FQCoDel.Parameters(codel: try parseCoDel(members))
            if let node = members["quantum"] {
                let bytes = try node.size()
                guard (1...1 << 20).contains(bytes) else {
                    throw node.refuse("not accepted", accepted: "1B to 1MiB")
                }
                parameters.quantum = Int64(bytes)
            }
            if let node = members["queues"] { parameters.queues = UInt32(try node.integer(1...65536)) }
            return .fqCodel(parameters)
        default: throw node.refuse("there is no such queue", accepted: types)
        }
    }

    /// Thresholds that are not given lie at a twelfth and a quarter of the buffer.
    private func parseRED(
        _ members: [String: ScenarioNode], _ node: ScenarioNode, buffer: UInt64, _ size: SizeReader
    ) throws(OpsError) -> RED.Parameters {
        var parameters = RED.Parameters(
            minBytes: buffer / 12, maxBytes: buffer / 4, probability: 0.1, weight: 0.002, gentle: true,
            ecn: try members["ecn"]?.boolean() ?? false)
        if let node = members["max"] {
            parameters.maxBytes = try size(node)
            parameters.minBytes = parameters.maxBytes / 3
        }
        if let node = members["min"] { parameters.minBytes = try size(node) }
        guard parameters.minBytes < parameters.maxBytes else {
            throw (members["min"] ?? node).refuse("not below max", accepted: "min below max")
        }
        if let node = members["probability"] { parameters.probability = try node.positiveProbability() }
        if let node = members["weight"] { parameters.weight = try node.positiveProbability() }
        if let node = members["gentle"] { parameters.gentle = try node.boolean() }
        return parameters
    }

    private func parsePIE(_ members: [String: ScenarioNode]) throws(OpsError) -> PIE.Parameters {
        var parameters = PIE.Parameters()
        if let node = members["target"] { parameters.target = try node.positiveTime() }
        if let node = members["update"] {
            parameters.update = try node.positiveTime()
            guard parameters.update >= .millisecond else {
                throw node.refuse("too short", accepted: "at least 1ms")
            }
        }
        if let node = members["burst"] { parameters.burst = try node.time() }
        if let node = members["alpha"] { parameters.alpha = try node.factor() }
        if let node = members["beta"] { parameters.beta = try node.factor() }
        if let node = members["ecn"] { parameters.ecn = try node.boolean() }
        return parameters
    }

    private func parseCoDel(_ members: [String: ScenarioNode]) throws(OpsError) -> CoDel.Parameters {
        var parameters = CoDel.Parameters()
        if let node = members["target"] { parameters.target = try node.positiveTime() }
        if let node = members["interval"] {
            parameters.interval = try node.positiveTime()
            guard parameters.interval <= 4 * .second else {
                throw node.refuse("too long", accepted: "at most 4s")
            }
        }
        if let node = members["ecn"] { parameters.ecn = try node.boolean() }
        return parameters
    }

    // MARK: What befalls packets

    private func parseLoss(_ node: ScenarioNode) throws(OpsError) -> Scenario.LossSpec {
        if node.scalar != nil { return .independent(probability: try node.probability()) }
        let members = try node.mapping(["enter", "leave", "bad", "good"])
        guard let enter = members["enter"], let leave = members["leave"] else {
            throw node.refuse("incomplete", accepted: "1%, or {enter: 1%, leave: 25%, bad: 100%, good: 0%}")
        }
        var burst = Scenario.BurstLoss(enter: try enter.probability(), leave: try leave.probability())
        if let bad = members["bad"] { burst.bad = try bad.probability() }
        if let good = members["good"] { burst.good = try good.probability() }
        return .burst(burst)
    }

    private func parseReorder(_ node: ScenarioNode) throws(OpsError) -> Scenario.ReorderSpec {
        let members = try node.mapping(["probability", "delay"])
        guard let probability = members["probability"], let delay = members["delay"] else {
            throw node.refuse("incomplete", accepted: "{probability: 1%, delay: 5ms}")
        }
        return Scenario.ReorderSpec(
            probability: try probability.probability(), delay: try delay.positiveTime())
    }

    /// One, or a list of them.
    private func parseOutages(_ node: ScenarioNode) throws(OpsError) -> [Scenario.Outage] {
        guard node.isList else { return [try parseOutage(node)] }
        var outages: [Scenario.Outage] = []
        for entry in try node.list(limit: Scenario.Limit.outages) {
            let outage = try parseOutage(entry)
            if let last = outages.last, outage.from < last.to {
                throw entry.refuse("begins before the one above is over", accepted: "ascending times")
            }
            outages.append(outage)
        }
        return outages
    }

    private func parseOutage(_ node: ScenarioNode) throws(OpsError) -> Scenario.Outage {
        let members = try node.mapping(["from", "to"])
        guard let from = members["from"], let to = members["to"] else {
            throw node.refuse("incomplete", accepted: "{from: 8s, to: 10.5s}")
        }
        let outage = Scenario.Outage(from: try from.time(), to: try to.time())
        guard outage.from < outage.to else {
            throw to.refuse("not after from", accepted: "from before to")
        }
        return outage
    }

    // MARK: Traces

    /// `{trace: FILE}` in place of a rate.
    func parseTrace(_ node: ScenarioNode) throws(OpsError) -> [UInt32]? {
        guard node.isMapping else { return nil }
        let members = try node.mapping(["trace"])
        guard let file = members["trace"] else {
            throw node.refuse("trace is missing", accepted: "{trace: cell.trace}")
        }
        let name = try file.title()
        guard let text = try readFile(name) else {
            throw file.refuse("the file is not at hand", accepted: "a Mahimahi trace beside the scenario")
        }
        switch DeliveryTrace.parse(text, lineLimit: Scenario.Limit.traceLines) {
        case .success(let times): return times
        case .failure(let error):
            throw file.refuse(
                "line \(error.line) of the trace is no delivery opportunity",
                accepted: "milliseconds, ascending, the last above 0, at most 24 h and "
                    + "\(Scenario.Limit.traceLines) lines")
        }
    }

    static func meanRate(of trace: [UInt32]) -> [Scenario.RateStep] {
        let bits = UInt64(trace.count) * DeliveryTrace.opportunityBytes * 8
        return [
            Scenario.RateStep(at: 0, bitsPerSecond: max(1, bits * 1000 / UInt64(max(trace.last ?? 1, 1))))
        ]
    }
}

extension ScenarioNode {
    func probability() throws(OpsError) -> Double {
        try read(Quantity.probability, accepted: "a percentage or a fraction: 1%, 0.01")
    }
    func positiveProbability() throws(OpsError) -> Double {
        let value = try probability()
        guard value > 0 else { throw refuse("not accepted", accepted: "above 0: 1%, 0.01") }
        return value
    }
    /// A plain number, 0 to 1000.
    func factor() throws(OpsError) -> Double {
        try read(
            { text in
                guard let parts = Quantity.split(text), parts.unit.isEmpty else { return nil }
                var value = Double(parts.digits)
                for _ in 0..<parts.scale { value /= 10 }
                return value <= 1000 ? value : nil
            }, accepted: "a number, 0 to 1000: 0.125")
    }
}
