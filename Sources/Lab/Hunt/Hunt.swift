package import ControlAPI
import Dispatch
import Foundation
import Netsim
package import OpsHost
import Synchronization

/// Searches for a scenario in which a congestion control does something that Reno and CUBIC do not, and makes it small.
///
/// The scenarios and their order depend on the seed alone, and so does the first trouble among them: threads only look ahead.
package struct Hunt: Sendable {
    package struct Finding: Sendable {
        package var trouble: Trouble
        /// Which of the scenarios tried showed it.
        package var number: Int
        /// A scenario file whose expectations fail.
        package var scenario: String
        package var verdicts: [ExpectationVerdict]
    }

    package struct Report: Sendable {
        package var tried: Int
        package var finding: Finding?
    }

    private let host: RuntimeHost
    private let ground: HuntingGround
    private let seed: UInt64

    /// - Parameter control: the ops name of a registration of the host.
    package init(_ control: String, seed: UInt64, on host: RuntimeHost) {
        (self.host, self.seed) = (host, seed)
        ground = HuntingGround(control: control)
    }

    /// - Parameters:
    ///   - runs: scenarios to try at most.
    ///   - seconds: no scenario is begun later than this; how far that goes is the machine's business.
    ///   - progress: called now and then, on this thread, with how many have been tried; false ends the hunt.
    /// - Throws: what a run throws that is no matter of its scenario.
    package func run(
        runs: Int, seconds: Double?, workers: Int, progress: (Int) -> Bool
    ) throws(Refusal) -> Report {
        let start = ContinuousClock.now
        var next = 0
        while next < runs, seconds.map({ (ContinuousClock.now - start) / .seconds(1) < $0 }) ?? true {
            let batch = next..<min(next + max(1, workers), runs)
            let found = Mutex<[Int: Result<Trouble?, Refusal>]>([:])
            DispatchQueue.concurrentPerform(iterations: batch.count) { index in
                let number = batch.lowerBound + index
                let result = attempt(ground.scenario(number, seed: seed))
                found.withLock { $0[number] = result }
            }
            let results = found.withLock { $0 }
            for number in batch {
                guard let trouble = try results[number]?.get() else { continue }
                return Report(tried: number + 1, finding: try shrunk(trouble, number))
            }
            next = batch.upperBound
            guard progress(next) else { break }
        }
        return Report(tried: next, finding: nil)
    }

    private func attempt(_ tree: YAMLNode) -> Result<Trouble?, Refusal> {
        do throws(Refusal) { return .success(try trouble(in: tree)) } catch { return .failure(error) }
    }

    /// The first of the suspicions that both references bear out.
    ///
    /// - Parameter wanted: look for this one only.
    func trouble(in tree: YAMLNode, wanted: Trouble? = nil) throws(Refusal) -> Trouble? {
        guard let scenario = try? Scenario.read(tree) else { return nil }
        let result = try simulate(scenario)
        let suspected = Trouble.suspected(in: result, scenario).filter { wanted == nil || $0 == wanted }
        guard !suspected.isEmpty else { return nil }
        var references: [String: JSONValue] = [:]
        for name in Trouble.references { references[name] = try simulate(scenario.relative(to: name)) }
        return suspected.first { trouble in
            guard let judged = try? Scenario.read(Self.expecting(trouble, tree)) else { return false }
            return judged.expectations.allSatisfy { expectation in
                let verdict = RuntimeHost.judge(
                    expectation, result, reference: expectation.reference.flatMap { references[$0] },
                    scenario: "", file: "")
                return !verdict.passed && verdict.value != nil
            }
        }
    }

    private func simulate(_ scenario: Scenario) throws(Refusal) -> JSONValue {
        var scenario = scenario
        scenario.recordInterval = 250_000_000
        return try host.simulate(ParsedScenario(scenario: scenario)) { _ in true }
    }

    private static func expecting(_ trouble: Trouble, _ tree: YAMLNode) -> YAMLNode {
        var tree = tree
        _ = tree.set("expect", to: .list(trouble.expectations.map(YAMLNode.text)))
        return tree
    }

    private func shrunk(_ trouble: Trouble, _ number: Int) throws(Refusal) -> Finding {
        let tree = try Shrinker { (tree) throws(Refusal) in
            try self.trouble(in: tree, wanted: trouble) != nil
        }.smallest(ground.scenario(number, seed: seed))
        var named = Self.expecting(trouble, tree)
        _ = named.set("name", to: .text("\(trouble.kind.rawValue)-of-\(ground.control)"))
        let text = named.blockText
        let parsed = try host.scenario(text, file: "hunt.yaml")
        return Finding(
            trouble: trouble, number: number, scenario: text,
            verdicts: try host.check(parsed, file: "hunt.yaml"))
    }
}
