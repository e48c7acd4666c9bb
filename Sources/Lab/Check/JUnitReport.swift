/// Verdicts as CI systems read them: a suite per scenario file, a case per expectation. No times, so that equal verdicts
/// give equal bytes.
package enum JUnitReport {
    package static func xml(_ verdicts: [ExpectationVerdict]) -> String {
        var files: [String] = []
        for verdict in verdicts where !files.contains(verdict.file) { files.append(verdict.file) }
        var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>", open("testsuites", verdicts)]
        for file in files {
            let inside = verdicts.filter { $0.file == file }
            lines.append("  " + open("testsuite", inside, name: inside.first?.scenario))
            for verdict in inside { lines += testCase(verdict) }
            lines.append("  </testsuite>")
        }
        return (lines + ["</testsuites>", ""]).joined(separator: "\n")
    }

    private static func open(_ tag: String, _ verdicts: [ExpectationVerdict], name: String? = nil) -> String {
        let failures = verdicts.count { !$0.passed }
        let label = name.map { " name=\"\(escape($0))\"" } ?? ""
        return "<\(tag)\(label) tests=\"\(verdicts.count)\" failures=\"\(failures)\">"
    }

    private static func testCase(_ verdict: ExpectationVerdict) -> [String] {
        let attributes =
            "classname=\"\(escape(verdict.scenario))\" name=\"\(escape(verdict.expectation))\" "
            + "file=\"\(escape(verdict.file))\"" + (verdict.line.map { " line=\"\($0)\"" } ?? "")
        guard !verdict.passed else { return ["    <testcase \(attributes)/>"] }
        return [
            "    <testcase \(attributes)>",
            "      <failure message=\"\(escape(verdict.explanation))\"/>", "    </testcase>",
        ]
    }

    private static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
