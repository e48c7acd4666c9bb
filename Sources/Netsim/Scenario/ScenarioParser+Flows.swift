internal import OpsCore

extension ScenarioParser {
    func parseFlows(
        _ node: ScenarioNode?, _ root: ScenarioNode, links: [String], drafts: [LinkDraft], duration: Int64
    ) throws(OpsError) -> [Scenario.FlowSpec] {
        guard let node else { throw root.refuse("flows is missing", accepted: "flows: [{name: a, …}]") }
        var flows: [Scenario.FlowSpec] = []
        var total = 0
        for entry in try node.list(limit: 10_000) {
            let flow = try parseFlow(entry, links: links, drafts: drafts, duration: duration)
            guard !flows.contains(where: { $0.name == flow.name }) else {
                throw entry.refuse("another flow is called '\(flow.name)'", accepted: "distinct names")
            }
            total += flow.count
            guard total <= Scenario.Limit.flows else {
                throw entry.refuse("too many flows", accepted: "at most \(Scenario.Limit.flows) in all")
            }
            flows.append(flow)
        }
        guard !flows.isEmpty else { throw node.refuse("there is no flow", accepted: "at least one") }
        return flows
    }

    private func parseFlow(
        _ node: ScenarioNode, links: [String], drafts: [LinkDraft], duration: Int64
    ) throws(OpsError) -> Scenario.FlowSpec {
        let members = try node.mapping([
            "name", "count", "cc", "receiver_cc", "path", "return", "rtt", "start", "stop", "app", "ecn",
            "params",
        ])
        guard let name = members["name"] else { throw node.refuse("name is missing", accepted: "name: a") }
        guard let cc = members["cc"] else { throw node.refuse("cc is missing", accepted: "cc: cubic") }
        guard let path = members["path"] else {
            throw node.refuse("path is missing", accepted: "path: [\(links.joined(separator: ", "))]")
        }
        guard let rttNode = members["rtt"] else { throw node.refuse("rtt is missing", accepted: "rtt: 40ms") }
        let hops = try parsePath(path, links: links)
        let returnHops = try members["return"].map { (node) throws(OpsError) in
            try parsePath(node, links: links)
        }
        var receiverCC = try control(cc)
        if let node = members["receiver_cc"] { receiverCC = try control(node) }
        let rtt = try rttNode.time()
        let delays = (hops + (returnHops ?? [])).reduce(Int64(0)) { $0 + drafts[$1].delay }
        guard rtt >= delays else {
            throw rttNode.refuse(
                "less than the one-way delays of its links, \(delays / .microsecond)us",
                accepted: "as much or more"
            )
        }
        let start = try members["start"]?.time() ?? 0
        let stop = try members["stop"]?.time() ?? duration
        if let node = members["stop"], stop <= start {
            throw node.refuse("not after start", accepted: "start before stop")
        }
        var flow = Scenario.FlowSpec(
            name: try name.name(),
            count: Int(try members["count"]?.integer(1...UInt64(Scenario.Limit.flows)) ?? 1),
            cc: try control(cc), receiverCC: receiverCC, path: hops, rtt: rtt,
            start: start, stop: min(stop, duration), ecn: try members["ecn"]?.boolean() ?? false,
            app: try parseApp(members["app"]))
        if let node = members["params"] { flow.params = try parseParams(node, cc: flow.cc) }
        flow.receiverHasParams = members["receiver_cc"] == nil
        flow.returnPath = returnHops ?? []
        return flow
    }

    /// An ops name, or what stands for one that is given later.
    private func control(_ node: ScenarioNode) throws(OpsError) -> String {
        node.scalar == Scenario.openControl ? Scenario.openControl : try node.name()
    }

    /// Their types are the object's own business, so that values stay text here.
    private func parseParams(_ node: ScenarioNode, cc: String) throws(OpsError) -> [String: String] {
        guard !Scenario.builtinControls.contains(cc) else {
            throw node.refuse("the built-in '\(cc)' has no variables to set", accepted: "no params")
        }
        var params: [String: String] = [:]
        for (key, value) in try node.entries(limit: Scenario.Limit.params) {
            params[try key.name()] = try value.title()
        }
        return params
    }

    func parsePath(_ node: ScenarioNode, links: [String]) throws(OpsError) -> [Int] {
        var hops: [Int] = []
        for entry in try node.list(limit: Scenario.Limit.hops) {
            let name = try entry.name()
            guard let index = links.firstIndex(of: name) else {
                throw entry.refuse("there is no such link", accepted: links.joined(separator: ", "))
            }
            hops.append(index)
        }
        guard !hops.isEmpty else { throw node.refuse("the path is empty", accepted: "at least one link") }
        return hops
    }

    private func parseApp(_ node: ScenarioNode?) throws(OpsError) -> Scenario.AppSpec {
        guard let node else { return .bulk }
        let accepted =
            "bulk, {transfer: 100kB, count: 20, gap: 300ms}, {write: 100kB, every: 100ms} "
            + "or {poisson: 50ms, size: 100kB}"
        if let text = node.scalar {
            guard text == "bulk" else { throw node.refuse("not accepted", accepted: accepted) }
            return .bulk
        }
        let members = try node.mapping(["transfer", "count", "gap", "write", "every", "poisson", "size"])
        if let interval = members["poisson"], let size = members["size"], members.count == 2 {
            return .poisson(interval: try interval.positiveTime(), size: try parseSizes(size))
        }
        guard members["poisson"] == nil, members["size"] == nil else {
            throw node.refuse("not accepted", accepted: accepted)
        }
        if let transfer = members["transfer"], members["write"] == nil, members["every"] == nil {
            let bytes = try transfer.size()
            guard bytes > 0 else { throw transfer.refuse("not accepted", accepted: "at least 1B") }
            return .transfer(
                bytes: bytes, count: UInt32(try members["count"]?.integer(1...1_000_000) ?? 1),
                gap: try members["gap"]?.time() ?? 0)
        }
        guard let write = members["write"], let every = members["every"], members["transfer"] == nil,
            members["count"] == nil, members["gap"] == nil
        else { throw node.refuse("not accepted", accepted: accepted) }
        let bytes = try write.size()
        guard bytes > 0 else { throw write.refuse("not accepted", accepted: "at least 1B") }
        return .write(bytes: bytes, every: try every.positiveTime())
    }
}
