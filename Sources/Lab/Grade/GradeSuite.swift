package import ControlAPI
import Netsim
package import OpsHost

/// Scenarios that leave open which congestion control they try, and say by which figure it is graded.
package struct GradeSuite: Sendable {
    package struct Item: Sendable {
        package let file: String
        package let scenario: ParsedScenario
        let figure: GradedFigure

        /// - Throws: EINVAL for a scenario without `cc: $CC` or without `grade:`.
        package init(file: String, scenario: ParsedScenario) throws(Refusal) {
            guard scenario.hasOpenControl, let figure = scenario.scenario.grade else {
                throw Refusal(
                    "scenario", errno: 22, "\(file): not a scenario to grade by", at: .init(file: file),
                    reason: scenario.hasOpenControl
                        ? "it has no 'grade: {figure: PATH, better: higher}'"
                        : "none of its flows has 'cc: $CC'")
            }
            (self.file, self.scenario, self.figure) = (file, scenario, figure)
        }
    }

    package let items: [Item]

    package init(_ items: [Item]) { self.items = items }

    /// Examples/suites, which every opsctl carries along.
    package static func examples(on host: RuntimeHost) throws(Refusal) -> GradeSuite {
        let trace = String(decoding: PackageResources.cellular_trace, as: UTF8.self)
        var items: [Item] = []
        for (file, bytes) in texts {
            let scenario = try host.scenario(
                String(decoding: bytes, as: UTF8.self), file: file,
                files: ["../traces/cellular.trace": trace])
            items.append(try Item(file: file, scenario: scenario))
        }
        return GradeSuite(items)
    }

    private static let texts: [(String, [UInt8])] = [
        ("single-flow.yaml", PackageResources.single_flow_yaml),
        ("fairness.yaml", PackageResources.fairness_yaml),
        ("rtt-unfairness.yaml", PackageResources.rtt_unfairness_yaml),
        ("shallow-buffer.yaml", PackageResources.shallow_buffer_yaml),
        ("deep-buffer.yaml", PackageResources.deep_buffer_yaml),
        ("loss.yaml", PackageResources.loss_yaml),
        ("ecn.yaml", PackageResources.ecn_yaml),
        ("rate-steps.yaml", PackageResources.rate_steps_yaml),
        ("cellular.yaml", PackageResources.cellular_yaml),
        ("short-flows.yaml", PackageResources.short_flows_yaml),
        ("coexistence-cubic.yaml", PackageResources.coexistence_cubic_yaml),
        ("coexistence-bbr.yaml", PackageResources.coexistence_bbr_yaml),
    ]
}
