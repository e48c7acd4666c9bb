import Foundation
import LinuxComparison

/// Runs every scenario of the reference and prints the kernel's figures and ours side by side, then where the logs of
/// callbacks part.
@main struct LinuxComparisonTool {
    static let usage = """
        usage: linux-comparison FOLDER [--once] [--whole] [--log] [NAME…]
               linux-comparison --builds
          FOLDER   scenarios.json, summary.csv and *.callbacks.csv
          --once   one seed instead of the reference's three
          --whole  compares logs past the first late delivery, too
          --log    prints both logs of callbacks instead of their first difference
          --builds prints what every build must repeat: Tests/Fixtures/builds.txt

        """

    static func main() throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        func takeOption(_ name: String) -> Bool {
            guard let index = arguments.firstIndex(of: name) else { return false }
            arguments.remove(at: index)
            return true
        }
        let isWhole = takeOption("--whole")
        let printsLogs = takeOption("--log")
        let repeats = takeOption("--once") ? 1...1 : 1...3
        if takeOption("--builds") {
            for line in try BuildComparison.lines() { print(line) }
            return
        }
        guard let folder = arguments.first, !folder.hasPrefix("-") else {
            FileHandle.standardError.write(Data(usage.utf8))
            exit(2)
        }
        let names = arguments.dropFirst()
        let data = try ReferenceData(folder: URL(filePath: folder))
        let chosen = data.scenarios.filter { names.isEmpty || names.contains($0.name) }
        try printFigures(chosen.filter { !$0.isCallbackLog }, data, repeats)
        for scenario in chosen where scenario.isCallbackLog {
            guard let log = try LogComparison.run(scenario, data, whole: isWhole) else { continue }
            printShare(log)
            if printsLogs {
                for call in log.kernel { print("Linux \(call.line)") }
                for call in log.ours { print("here  \(call.line)") }
            } else {
                for line in log.firstDifference() { print("  " + line) }
            }
        }
    }

    static func printFigures(
        _ scenarios: [ReferenceScenario], _ data: ReferenceData, _ repeats: ClosedRange<Int>
    ) throws {
        var all: [FigureComparison] = []
        for scenario in scenarios {
            for comparison in try FigureComparison.run(scenario, data, repeats: repeats) {
                print(comparison.line)
                all.append(comparison)
            }
        }
        guard !all.isEmpty else { return }
        let within = all.count { $0.verdict == .within }
        let near = all.count { $0.verdict != .outside }
        print("\(all.count) figures: \(within) within the kernel's spread, \(near) within twice that")
    }

    static func printShare(_ log: LogComparison) {
        let percent = (log.share * 1000).rounded() / 10
        print(
            "\(log.scenario): \(log.common) of \(log.compared) entries in order (\(percent) %),"
                + " \(log.ours.count) here, \(log.all) in the whole log")
    }
}
