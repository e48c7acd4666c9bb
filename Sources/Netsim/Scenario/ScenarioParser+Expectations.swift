internal import OpsCore

extension ScenarioParser {
    /// A list of `PATH OP VALUE`, or `PATH OP RATIO relative to CC`; each alone or with what it means if it does not hold.
    func parseExpectations(_ node: ScenarioNode, _ scenario: Scenario) throws(OpsError) -> [Expectation] {
        var all: [Expectation] = []
        for entry in try node.list(limit: Scenario.Limit.expectations) {
            guard let (key, value) = try entry.isMapping ? entry.entries(limit: 1).first : nil else {
                all.append(try parseExpectation(entry, scenario))
                continue
            }
            var expectation = try parseExpectation(key, scenario)
            expectation.meaning = try value.title()
            all.append(expectation)
        }
        return all
    }

    /// `{figure: flows.a.goodput, better: higher}`.
    func parseGrade(_ node: ScenarioNode, _ scenario: Scenario) throws(OpsError) -> GradedFigure {
        let members = try node.mapping(["figure", "better"])
        guard let figure = members["figure"], let better = members["better"] else {
            throw node.refuse("not accepted", accepted: "{figure: flows.a.goodput, better: higher}")
        }
        let (path, _, metric) = try parsePath(try figure.title(), at: figure, scenario)
        let isHigherBetter: Bool = try better.read(
            { ["higher": true, "lower": false][$0] }, accepted: "higher or lower")
        return GradedFigure(path: path, unit: metric.unit, isHigherBetter: isHigherBetter)
    }

    private func parsePath(
        _ path: String, at node: ScenarioNode, _ scenario: Scenario
    ) throws(OpsError) -> (String, Expectation.Subject, Expectation.Metric) {
        guard let (subject, metric) = Expectation.parse(path: path) else {
            throw node.refuse("there is no figure '\(path)'", accepted: Expectation.accepted(for: path))
        }
        guard exists(subject, in: scenario) else {
            throw node.refuse("'\(path)' names nothing of this scenario", accepted: names(scenario))
        }
        return (path, subject, metric)
    }

    private func parseExpectation(
        _ node: ScenarioNode, _ scenario: Scenario
    ) throws(OpsError) -> Expectation {
        let shape = "flows.a.goodput >= 45Mbit, or flows.a.goodput >= 0.9 relative to cubic"
        let text = try node.title()
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 3 || (words.count == 6 && words[3...4] == ["relative", "to"]) else {
            throw node.refuse("not accepted", accepted: shape)
        }
        let (_, subject, metric) = try parsePath(words[0], at: node, scenario)
        guard let comparison = Expectation.Comparison(rawValue: words[1]) else {
            let known = Expectation.Comparison.allCases.map(\.rawValue).joined(separator: " ")
            throw node.refuse("there is no comparison '\(words[1])'", accepted: known)
        }
        let reference = words.count == 6 ? words[5] : nil
        let unit = reference == nil ? metric.unit : .ratio
        guard let value = Expectation.parse(value: words[2], as: unit) else {
            throw node.refuse(
                "'\(words[2])' is no value of it", accepted: Expectation.accepted(of: unit))
        }
        return Expectation(
            text: words.joined(separator: " "), line: node.line, subject: subject, metric: metric,
            comparison: comparison, value: value, reference: reference)
    }

    private func exists(_ subject: Expectation.Subject, in scenario: Scenario) -> Bool {
        switch subject {
        case .whole, .flows("*"): return true
        case .link(let name): return scenario.links.contains { $0.name == name }
        case .cross(let name): return scenario.cross.contains { $0.name == name }
        case .flows(let name):
            return scenario.flows.contains { flow in
                if flow.name == name { return true }
                guard name.hasPrefix(flow.name + "."), flow.count > 1,
                    let number = Int(name.dropFirst(flow.name.count + 1))
                else { return false }
                return (1...flow.count).contains(number)
            }
        }
    }

    private func names(_ scenario: Scenario) -> String {
        (scenario.flows.map { "flows.\($0.name)" } + ["flows.*"] + scenario.links.map { "links.\($0.name)" }
            + scenario.cross.map { "cross.\($0.name)" }).joined(separator: ", ")
    }
}
