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
        precondition(!link.rate.isEmpty && link.delay >= 0 && (0...1).contains(link.loss))
        for step in link.rate { precondition(step.bitsPerSecond <= Scenario.Limit.rate) }
    }
    for flow in scenario.flows {
        precondition(
            flow.path.count <= Scenario.Limit.hops && flow.path.allSatisfy(scenario.links.indices.contains))
        precondition(flow.start >= 0 && flow.stop <= scenario.duration)
    }
}
