import ControlAPI
import OpsCore

extension Report {
    /// What it takes to get the same bytes again, and digests to see that one has.
    var reproduction: Page.Section {
        var content: [Markup] = [
            .element(
                "p", [:],
                "The same scenario, objects and seed give the same result, byte for byte, on every machine.")
        ]
        content.append(.element("pre", ["class": "command"], commands.joined(separator: "\n")))
        content.append(
            Report.table(
                "Runs", columns: ["result", "scenario", "seed", "events", "SHA-256 of the result"],
                rows: runs.map { run in
                    let events = RunFigure.plain(.count).text(run.result.engine?.events)
                    let cells = [run.result.scenario, run.seed, events].map { Markup($0) }
                    return (head: Markup(run.file), cells: cells + [Report.code(run.digest)])
                }, classes: "digests"))
        content.append(algorithms)
        content += scenarios.map { scenario in
            .element(
                "details", ["open": ""],
                [
                    .element("summary", [:], "Scenario \(scenario.file)"),
                    .element(
                        "p", ["class": "note"],
                        [Markup("SHA-256 "), Report.code(sha256Hex(Array(scenario.text.utf8)))]),
                    .element("pre", ["class": "scenario", "tabindex": "0"], scenario.text),
                ])
        }
        return Page.Section(id: "repeat", title: "Repeat it", content: content)
    }

    private static func code(_ text: String) -> Markup { .element("code", [:], text) }

    /// Objects behind the algorithms.
    private var algorithms: Markup {
        var rows: [(name: String, digest: String)] = []
        for member in runs.flatMap({ $0.result.objectSha256?.object ?? [] }) {
            let digest = member.value.string ?? "built in"
            if !rows.contains(where: { $0.name == member.name && $0.digest == digest }) {
                rows.append((member.name, digest))
            }
        }
        return Report.table(
            "Algorithms", columns: ["name", "SHA-256 of the object file"],
            rows: rows.map { (head: Markup($0.name), cells: [Report.code($0.digest)]) }, classes: "digests")
    }

    /// One per scenario: by the names of its files if they are known.
    private var commands: [String] {
        let needsObject = runs.contains { run in
            (run.result.objectSha256?.object ?? []).contains { $0.value.string != nil }
        }
        let files =
            scenarios.isEmpty ? runs.map { $0.result.scenario + ".yaml" }.unique : scenarios.map(\.file)
        return files.map { file in
            "opsctl sim run \(Report.quoted(file)) --local\(needsObject ? " --object FILE.bpf.o" : "") -o result.json"
        }
    }

    /// As one word to a shell.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || "_./-".utf8.contains(byte)
        }
        return isPlain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
