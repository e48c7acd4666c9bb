package import Netsim
package import OpsCore

/// A sweep that has been read and checked: every point's scenario is one that can run.
package struct Sweep: Sendable {
    package struct Run: Equatable, Sendable {
        /// Runs are numbered by point, seed and algorithm, in this order.
        package var number: Int
        package var point: Int
        package var seed: UInt64
        package var algorithm: String
    }

    package let name: String
    package let axes: [SweepAxis]
    /// For each axis the index of a value: sorted by parameters.
    package let points: [[Int]]
    package private(set) var seeds: [UInt64] = []
    /// Sorted. Without `algorithms:` one: what the scenario's flows use, joined by `+`.
    package private(set) var algorithms: [String] = []

    private let file: SweepFile
    private let files: SweepFiles

    /// - Throws: EINVAL with file, line, column, the value and what is accepted, also for a combination of values that makes
    ///   no scenario.
    package init(_ text: String, file name: String, files: SweepFiles) throws(OpsError) {
        file = try SweepFile(text, file: name) { files.text($0) }
        self.files = files
        self.name = file.name
        (axes, points) = try SweepSpace(file).points()
        let names: [String?] = file.algorithms?.names ?? [nil]
        var first: Scenario?
        for point in points {
            for name in names {
                let scenario = try scenario(at: point, algorithm: name)
                if first == nil { first = scenario }
            }
        }
        seeds = file.seeds ?? [first?.seed ?? 1]
        algorithms = file.algorithms?.names ?? [first?.controlNames.joined(separator: "+") ?? ""]
        try checkCount()
        try checkParams()
    }

    package var runCount: Int { points.count * seeds.count * algorithms.count }

    package func run(_ number: Int) -> Run {
        let (rest, algorithm) = number.quotientAndRemainder(dividingBy: algorithms.count)
        let (point, seed) = rest.quotientAndRemainder(dividingBy: seeds.count)
        return Run(number: number, point: point, seed: seeds[seed], algorithm: algorithms[algorithm])
    }

    /// Ops names that its runs use and that are not built in.
    package func controlsNeeded() throws(OpsError) -> [String] {
        var names: Set<String> = []
        for point in points {
            for algorithm in algorithms {
                names.formUnion(try scenario(at: point, algorithm: replaced(algorithm)).controlNames)
            }
        }
        return names.subtracting(Scenario.builtinControls).sorted()
    }

    /// What one run simulates: no series, and nothing expected.
    package func scenario(of run: Run) throws(OpsError) -> Scenario {
        var scenario = try scenario(at: points[run.point], algorithm: replaced(run.algorithm))
        scenario.seed = run.seed
        return scenario
    }

    private func replaced(_ algorithm: String) -> String? { file.algorithms == nil ? nil : algorithm }

    private func scenario(at point: [Int], algorithm: String?) throws(OpsError) -> Scenario {
        let tree = try tree(at: point, algorithm: algorithm)
        let directory = file.scenarioFile.map(SweepFiles.directory) ?? ""
        do throws(OpsError) {
            var scenario = try Scenario.read(tree) { [files] (name) throws(OpsError) in
                files.text(directory + name)
            }
            scenario.recordInterval = nil
            return scenario
        } catch {
            guard !axes.isEmpty else { throw error }
            var refusal = error
            let values = zip(axes, point).map { "\($0.name) = \($0.values[$1].text)" }
            refusal.reason = [error.reason, "at the point " + values.joined(separator: ", ")]
                .compactMap { $0 }.joined(separator: "; ")
            throw refusal
        }
    }

    private func tree(at point: [Int], algorithm: String?) throws(OpsError) -> YAMLNode {
        var tree = file.base
        for (axis, index) in zip(axes, point) where !axis.isParam {
            guard tree.set(axis.name, to: axis.values[index].node) else {
                throw axis.key.refuse(
                    "there is no such place in the scenario", accepted: "links.NAME.rate, flows.NAME.rtt, …")
            }
        }
        // A series of every run would be kept for nothing.
        _ = tree.set("record", to: YAMLNode(.scalar("off"), at: tree.place))
        guard var flows = tree["flows"]?.sequence else { return tree }
        for index in flows.indices {
            if let algorithm, isTried(flows[index]) { replaceControl(of: &flows[index], by: algorithm) }
            guard let cc = flows[index]["cc"]?.scalar, !Scenario.builtinControls.contains(cc) else {
                continue
            }
            for (axis, value) in zip(axes, point) where axis.isParam {
                _ = flows[index].set(axis.name, to: axis.values[value].node)
            }
        }
        _ = tree.set("flows", to: YAMLNode(.sequence(flows), at: tree["flows"]?.place ?? tree.place))
        return tree
    }

    private func isTried(_ flow: YAMLNode) -> Bool {
        guard let flows = file.algorithms?.flows else { return true }
        return flow["name"]?.scalar.map(flows.contains) ?? false
    }

    /// Built-in ones have no variables.
    private func replaceControl(of flow: inout YAMLNode, by algorithm: String) {
        _ = flow.set("cc", to: YAMLNode(.scalar(algorithm), at: flow.place))
        if Scenario.builtinControls.contains(algorithm) { _ = flow.set("params", to: nil) }
    }

    // MARK: Checks of the whole

    private func checkCount() throws(OpsError) {
        let (some, overflow) = points.count.multipliedReportingOverflow(by: seeds.count)
        let (all, more) = some.multipliedReportingOverflow(by: algorithms.count)
        guard !overflow, !more, all <= SweepFile.Limit.runs else {
            throw OpsError(
                "scenario", errno: OpsError.e2big, "sweep '\(name)' has too many runs",
                reason: "\(points.count) points × \(seeds.count) seeds × \(algorithms.count) algorithms; "
                    + "accepted: at most \(SweepFile.Limit.runs)")
        }
    }

    /// What is given for nothing is a mistake.
    private func checkParams() throws(OpsError) {
        let names = (file.base["flows"]?.sequence ?? []).compactMap { $0["name"]?.scalar }
        if let (flow, node) = file.algorithms.flatMap({ algorithms in
            algorithms.flows?.first { !names.contains($0) }.map { ($0, algorithms.node) }
        }) {
            throw node.refuse("there is no flow '\(flow)'", accepted: names.joined(separator: ", "))
        }
        guard let axis = axes.first(where: \.isParam), try controlsNeeded().isEmpty else { return }
        throw axis.key.refuse(
            "every congestion control here is built in and has no variables", accepted: "no params")
    }
}
