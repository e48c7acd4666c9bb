/// Runs that differ in nothing but the seed; alone, a run is a group of one.
struct RunGroup {
    /// What tells it from the other groups of the report.
    var label = ""
    /// In the order given.
    var runs: [Report.Run]

    /// Groups runs by scenario, flows with their algorithms and parameters, and objects.
    static func groups(of runs: [Report.Run]) -> [RunGroup] {
        var groups: [RunGroup] = []
        for run in runs {
            // The same seed twice is no sample of anything: such a run stands beside the other.
            let place = groups.firstIndex { group in
                group.runs[0].isAlike(run) && !group.runs.contains { $0.seed == run.seed }
            }
            if let place { groups[place].runs.append(run) } else { groups.append(RunGroup(runs: [run])) }
        }
        label(&groups)
        return groups
    }

    /// By algorithms, if they tell the groups apart; then with the scenario; else by file.
    private static func label(_ groups: inout [RunGroup]) {
        let candidates: [(Report.Run) -> String] = [
            { $0.result.controls.joined(separator: ", ") },
            { $0.result.scenario },
            { $0.result.scenario + ": " + $0.result.controls.joined(separator: ", ") },
            { $0.file },
        ]
        let all = candidates.map { name in groups.map { name($0.runs[0]) } }
        let names = all.first { $0.unique.count == groups.count } ?? groups.map { $0.runs[0].file }
        for index in groups.indices { groups[index].label = names[index] }
    }
}

extension Report.Run {
    fileprivate func isAlike(_ other: Report.Run) -> Bool {
        result.scenario == other.result.scenario && result.objectSha256 == other.result.objectSha256
            && result.flows.map(\.name) == other.result.flows.map(\.name)
            && result.flows.map(\.control) == other.result.flows.map(\.control)
            && result.links.map(\.name) == other.result.links.map(\.name)
    }

    var seed: String { result.seed?.plainText ?? "?" }
}
