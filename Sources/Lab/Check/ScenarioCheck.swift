package import ControlAPI
package import Netsim
package import OpsHost

/// What became of one expectation.
package struct ExpectationVerdict: Sendable {
    package var scenario: String
    package var file: String
    package var line: Int?
    /// As it stands in the file.
    package var expectation: String
    /// What the file says it means if the expectation does not hold.
    package var meaning: String?
    package var passed: Bool
    /// In the metric's unit (bit/s, ms, bytes), or the ratio; of several flows the one furthest off. nil: the result has
    /// no such figure.
    package var value: Double?
    package var limit: Double
    /// Of the limit, and of the value unless that is a ratio to a reference.
    package var unit: Expectation.Unit
    /// The reference's own figure, if the expectation is relative.
    package var reference: Double?
    /// Which flow, if there are several.
    package var flow: String?

    /// By how much it failed or held, as a share of the limit; nil if that is 0.
    package var margin: Double? {
        guard let value, limit != 0 else { return nil }
        return abs(value - limit) / limit
    }

    package var json: JSONValue {
        [
            "scenario": .string(scenario), "file": .string(file),
            "line": line.map { .integer(Int64($0)) } ?? .null, "expectation": .string(expectation),
            "passed": .bool(passed), "value": value.map { .double($0) } ?? .null, "limit": .double(limit),
            "reference": reference.map { .double($0) } ?? .null, "flow": flow.map { .string($0) } ?? .null,
        ]
    }

    /// `flow a.2 has 4.10 Mbit/s, 18.2 % off`: for people.
    package var explanation: String {
        guard let value else { return "the result has no such figure" }
        var text = flow.map { "flow \($0) has " } ?? "it is "
        if let reference {
            text += "\(Expectation.Unit.ratio.text(value)) times the reference's \(unit.text(reference))"
        } else {
            text += unit.text(value)
        }
        if let margin { text += ", \(decimal(margin * 100, 1)) % \(passed ? "to spare" : "off")" }
        return text
    }
}

extension ParsedScenario {
    /// Ops names that a check of it uses: its flows', and those that its expectations are relative to.
    package func controlsChecked(cc: String?) -> [String] {
        let own = (cc.map(trying) ?? self).scenario
        return (own.controlNames + own.expectations.compactMap(\.reference)).unique
    }
}

extension RuntimeHost {
    /// Runs a scenario, and once more with each reference that it names, and judges its expectations.
    ///
    /// - Parameter cc: what it tries where it says `$CC`.
    /// - Throws: EINVAL for a scenario without `expect:`; what the runs throw.
    package func check(
        _ parsed: ParsedScenario, file: String, cc: String? = nil
    ) throws(Refusal) -> [ExpectationVerdict] {
        let expectations = parsed.scenario.expectations
        guard !expectations.isEmpty else {
            throw Refusal(
                "scenario", errno: 22, "\(file): there is nothing to check", reason: "it has no 'expect:'",
                suggestion: "expect: [flows.NAME.goodput >= 45Mbit]")
        }
        let result = try simulate(cc.map(parsed.trying) ?? parsed) { _ in true }
        var references: [String: JSONValue] = [:]
        for name in expectations.compactMap(\.reference) where references[name] == nil {
            references[name] = try simulate(
                ParsedScenario(scenario: parsed.scenario.relative(to: name))
            ) { _ in true }
        }
        return expectations.map { expectation in
            Self.judge(
                expectation, result, reference: expectation.reference.flatMap { references[$0] },
                scenario: parsed.name, file: file)
        }
    }

    static func judge(
        _ expectation: Expectation, _ result: JSONValue, reference: JSONValue?, scenario: String, file: String
    ) -> ExpectationVerdict {
        var verdict = ExpectationVerdict(
            scenario: scenario, file: file, line: expectation.line, expectation: expectation.text,
            meaning: expectation.meaning, passed: true, limit: expectation.value,
            unit: expectation.metric.unit)
        var worst = -Double.infinity
        let subjects = subjects(of: expectation, in: result)
        if subjects.isEmpty { verdict.passed = false }
        for (name, subject) in subjects {
            var value = expectation.metric.figure(of: subject)
            var base: Double?
            if let reference {
                base = Self.subjects(of: expectation, in: reference).first { $0.name == name }
                    .flatMap { expectation.metric.figure(of: $0.value) }
                value = value.flatMap { value in base.flatMap { $0 != 0 ? value / $0 : nil } }
            }
            let holds = value.map { expectation.comparison.holds($0, expectation.value) } ?? false
            // How far on the wrong side; a figure that is missing is furthest.
            let offset = value.map { value in
                switch expectation.comparison {
                case .atLeast, .above: expectation.value - value
                case .atMost, .below: value - expectation.value
                case .equal: abs(value - expectation.value)
                }
            }
            guard offset ?? .infinity > worst else { continue }
            worst = offset ?? .infinity
            (verdict.passed, verdict.value, verdict.reference) = (holds, value, base)
            verdict.flow = subjects.count > 1 ? name : nil
        }
        return verdict
    }

    private static func subjects(
        of expectation: Expectation, in result: JSONValue
    ) -> [(name: String, value: JSONValue)] {
        func named(_ list: String, _ isWanted: (String) -> Bool) -> [(String, JSONValue)] {
            (result[list]?.array ?? []).compactMap { item in
                item["name"]?.string.flatMap { isWanted($0) ? ($0, item) : nil }
            }
        }
        switch expectation.subject {
        case .whole: return [("", result)]
        case .link(let name): return named("links") { $0 == name }
        case .cross(let name): return named("cross") { $0 == name }
        case .flows("*"): return named("flows") { _ in true }
        case .flows(let name):
            let exact = named("flows") { $0 == name }
            guard exact.isEmpty else { return exact }
            return named("flows") { $0.hasPrefix(name + ".") && Int($0.dropFirst(name.count + 1)) != nil }
        }
    }
}
