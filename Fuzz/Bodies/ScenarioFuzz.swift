import Netsim

/// What must hold for any bytes whatever that claim to be a scenario: refused, or within the limits that the engine
/// builds on.
package func checkScenarioInput(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let scenario = try? Scenario.parse(text, file: "fuzz.yaml") else { return }
    precondition((1...Scenario.Limit.links).contains(scenario.links.count))
    precondition((1...Scenario.Limit.flows).contains(scenario.flowCount))
    precondition(scenario.duration > 0 && scenario.duration <= Scenario.Limit.duration)
    for link in scenario.links {
        precondition(!link.rate.isEmpty && link.delay >= 0)
        precondition(probabilities(of: link).allSatisfy((0...1).contains))
        for step in link.rate { precondition(step.bitsPerSecond <= Scenario.Limit.rate) }
    }
    for flow in scenario.flows {
        precondition(
            flow.path.count <= Scenario.Limit.hops && flow.path.allSatisfy(scenario.links.indices.contains))
        precondition(flow.start >= 0 && flow.stop <= scenario.duration)
    }
}

private func probabilities(of link: Scenario.LinkSpec) -> [Double] {
    let others = [link.duplicate, link.reorder?.probability ?? 0]
    switch link.loss {
    case .independent(let probability): return others + [probability]
    case .burst(let burst): return others + [burst.enter, burst.leave, burst.bad, burst.good]
    }
}
