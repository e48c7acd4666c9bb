import ControlAPI
import Dispatch
import Netsim
package import OpsHost
import Synchronization

extension RuntimeHost {
    /// Runs a suite with a congestion control and with each reference, on all cores.
    ///
    /// - Parameters:
    ///   - cc: an ops name that is registered or built in.
    ///   - progress: how many of how many runs are done; called on any thread.
    package func grade(
        _ cc: String, by suite: GradeSuite, progress: @escaping @Sendable (Int, Int) -> Void = { _, _ in }
    ) -> Grade {
        let runs = suite.items.enumerated().flatMap { index, item in
            let relative = item.scenario.scenario.expectations.compactMap(\.reference)
            return ([cc] + Grade.references + relative).unique.map { GradeRun(item: index, cc: $0) }
        }
        let results = Mutex<[GradeRun: Result<JSONValue, Refusal>]>([:])
        DispatchQueue.concurrentPerform(iterations: runs.count) { number in
            let run = runs[number]
            let scenario = suite.items[run.item].scenario.trying(run.cc)
            let result: Result<JSONValue, Refusal>
            do throws(Refusal) { result = .success(try simulate(scenario) { _ in true }) } catch {
                result = .failure(error)
            }
            let done = results.withLock { results in
                results[run] = result
                return results.count
            }
            progress(done, runs.count)
        }
        let all = results.withLock { $0 }
        return Grade(
            cc: cc,
            lines: suite.items.enumerated().map { index, item in
                Grade.Line(item, cc: cc) { all[GradeRun(item: index, cc: $0)] }
            })
    }
}

/// One scenario of the suite with one congestion control.
private struct GradeRun: Hashable {
    var item: Int
    var cc: String
}

extension Grade.Line {
    /// - Parameter result: of the scenario with a congestion control.
    fileprivate init(
        _ item: GradeSuite.Item, cc: String, result: (String) -> Result<JSONValue, Refusal>?
    ) {
        let scenario = item.scenario.scenario
        func value(_ cc: String) -> Double? {
            guard let result = try? result(cc)?.get() else { return nil }
            return SweepFigures.of(result, scenario).first { $0.name == item.figure.path }?.value
        }
        var broken: [ExpectationVerdict] = []
        var refusal: Refusal?
        switch result(cc) {
        case .success(let own)?:
            broken = scenario.expectations.map { expectation in
                RuntimeHost.judge(
                    expectation, own, reference: expectation.reference.flatMap { try? result($0)?.get() },
                    scenario: item.scenario.name, file: item.file)
            }.filter { !$0.passed }
        case .failure(let error)?: refusal = error
        case nil: break
        }
        self.init(
            scenario: item.scenario.name, file: item.file, figure: item.figure, value: value(cc),
            references: Grade.references.map(value), broken: broken, refusal: refusal)
    }
}
