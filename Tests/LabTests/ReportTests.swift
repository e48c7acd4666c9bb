import ControlAPI
import Foundation
import Lab
import OpsHost
import Testing

@Suite("Reports") struct ReportTests {
    static let hasDygraphs = (try? ChartLibrary()) != nil
    private static let library = Result { try ChartLibrary() }

    /// A result of the simulator, small and quick.
    static func result(seed: Int = 1, cc: String = "cubic", name: String = "small") throws -> [UInt8] {
        let host = try RuntimeHost()
        let scenario = try host.scenario(
            """
            name: "\(name)"
            seed: \(seed)
            duration: 4s
            links: {b: {rate: 10Mbit, delay: 10ms, buffer: 30kB, loss: 0.1%}}
            flows:
              - {name: a, count: 2, cc: \(cc), path: [b], rtt: 20ms}
              - {name: late, cc: reno, path: [b], rtt: 30ms, start: 1s}
            record: {interval: 20ms}
            """, file: "s.yaml")
        return try host.simulate(scenario) { _ in true }.utf8()
    }

    private static func page(
        _ results: [(file: String, bytes: [UInt8])], scenarios: [Report.ScenarioText] = []
    ) throws -> String {
        let runs = try results.map { try Report.Run(file: $0.file, bytes: $0.bytes) }
        return Report(runs, scenarios: scenarios, library: try library.get()).html
    }

    @Test(
        "one page, the same bytes each time, that asks for nothing",
        .enabled(if: hasDygraphs, "no libjs-dygraphs: run 'make test-deps'"))
    func isSelfContained() throws {
        let bytes = try Self.result()
        let text = Report.ScenarioText(file: "s.yaml", text: "name: <small>\n")
        let page = try Self.page([("r.json", bytes)], scenarios: [text])
        let isSame = try Self.page([("r.json", bytes)], scenarios: [text]) == page
        #expect(isSame)
        #expect(page.hasPrefix("<!doctype html>\n<html lang=\"en\">") && page.hasSuffix("</html>\n"))
        #expect(page.contains("default-src &#39;none&#39;") && page.contains("name: &lt;small&gt;"))
        #expect(!page.contains("sourceMappingURL"))
        let markup = page.replacing(/<script[^>]*>[\s\S]*?<\/script>/, with: "")
        let asking = ["<link", "<img", "src=", "@import", "url("].filter(markup.contains)
        #expect(asking.isEmpty)
        #expect(page.contains("opsctl sim run s.yaml --local -o result.json"))
    }

    @Test(
        "names and values of a result are text, wherever they stand",
        .enabled(if: hasDygraphs, "no libjs-dygraphs: run 'make test-deps'"))
    func escapesEverything() throws {
        let page = try Self.page([("r<.json", try Self.hostile())])
        #expect(!page.contains(Self.attack) && !page.contains("<img"))
        // Neither does a script end early: the three of the page, and no more.
        #expect(page.components(separatedBy: "</script").count == 4)
        #expect(page.contains("\\u003c/script>"))
    }

    static let attack = "</script><img src=x onerror=\"document.title='owned'\">"

    /// A result whose every string is an attack on the page.
    static func hostile() throws -> [UInt8] {
        func attack(_ value: JSONValue) -> JSONValue {
            switch value {
            case .string(let text): .string(text + Self.attack)
            case .array(let values): .array(values.map(attack))
            case .object(let members):
                .object(
                    members.map { member in
                        let isDigests = member.name == "object_sha256"
                        let value = isDigests ? [Self.attack: .string(Self.attack)] : attack(member.value)
                        return JSONValue.Member(member.name, value)
                    })
            default: value
            }
        }
        return attack(try JSONValue(parsing: try result(), limits: .reply)).utf8()
    }

    @Test(
        "runs that differ in the seed are one variant, other algorithms stand beside it",
        .enabled(if: hasDygraphs, "no libjs-dygraphs: run 'make test-deps'"))
    func groupsSeeds() throws {
        var results: [(String, [UInt8])] = []
        for cc in ["cubic", "reno"] {
            for seed in 1...4 { results.append(("\(cc)-\(seed).json", try Self.result(seed: seed, cc: cc))) }
        }
        let page = try Self.page(results)
        #expect(page.contains("3 flows · 1 link · 2 variants · 4 seeds · 8 runs"))
        #expect(page.contains("id=\"distributions\"") && page.contains("class=\"box\""))
        #expect(page.contains("<th scope=\"col\">cubic, reno</th>"))
        // The same file twice is no second sample.
        let twice = try Self.page([results[0], results[0]])
        #expect(!twice.contains("id=\"distributions\"") && twice.contains("2 variants"))
    }

    @Test("what is no result is refused with its file and place")
    func refusesOtherFiles() {
        for (text, says) in [
            ("{", "ends in the middle"), ("[]", "expected an object"),
            (#"{"scenario":"a","flows":[{"name":"x"}],"links":[]}"#, "'cc' is missing"),
        ] {
            let refusal = #expect(throws: Refusal.self) {
                try Report.Run(file: "r.json", bytes: Array(text.utf8))
            }
            #expect(refusal?.text == "r.json: not a result")
            #expect(refusal?.reason?.contains(says) == true, "\(refusal?.reason ?? "")")
        }
    }

    @Test("without dygraphs the package is named")
    func namesThePackage() {
        let refusal = #expect(throws: Refusal.self) { try ChartLibrary(directory: "/nonexistent") }
        #expect(refusal?.suggestion?.contains("libjs-dygraphs") == true)
    }

    @Test(
        "in a browser, without a network: no complaint, charts are drawn, zoom together, fit a phone",
        .enabled(if: hasDygraphs, "no libjs-dygraphs: run 'make test-deps'"),
        .enabled(if: Browser.isThere, "no chromium, or no network namespace: run 'make test-deps'"),
        .timeLimit(.minutes(30)), arguments: ["plain", "hostile", "compared"])
    func opensInABrowser(_ kind: String) throws {
        let page =
            switch kind {
            case "hostile": try Self.page([("r.json", try Self.hostile())])
            case "compared":
                try Self.page([("a.json", try Self.result()), ("b.json", try Self.result(cc: "bbr"))])
            default: try Self.page([("r.json", try Self.result())])
            }
        let file = FileManager.default.temporaryDirectory.appending(path: "report-\(UUID()).html")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(page.utf8).write(to: file)
        let (status, output) = try Browser.check(file.path)
        #expect(status == 0, Comment(rawValue: output))
    }
}

/// Debian's Chromium, cut off from any network.
private enum Browser {
    static let isThere = (try? run(["/usr/bin/which", "chromium"]))?.status == 0

    static func check(_ page: String) throws -> (status: CInt, output: String) {
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../browser/check_report.py").standardized.path
        return try run(["python3", script, page])
    }

    private static func run(_ words: [String]) throws -> (status: CInt, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/unshare")
        process.arguments = ["--net", "--map-root-user"] + words
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, output)
    }
}
