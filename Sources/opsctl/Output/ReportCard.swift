import Lab

/// A grade as a table for people; what broke stands under its line.
struct ReportCard {
    private let grade: Grade

    init(_ grade: Grade) { self.grade = grade }

    var text: String {
        var table = Table(
            [.text("mark"), .text("scenario"), .text("figure"), .number(grade.cc)]
                + Grade.references.map { .number($0) })
        for line in grade.lines {
            table.add([line.mark.rawValue, line.scenario, line.figureName] + line.figures)
        }
        var lines = table.text.split(separator: "\n").map(String.init)
        // From the end, so that what is inserted moves no line that is still to be found.
        for (index, line) in grade.lines.enumerated().reversed() {
            lines.insert(contentsOf: line.complaints.map { "      ✗ \($0)" }, at: index + 2)
        }
        return lines.joined(separator: "\n") + "\n\n" + verdict
    }

    private var verdict: String {
        let score = "\(Int(grade.score.rounded())) of 100"
        let failed = grade.failures.count
        guard failed > 0 else { return "\(grade.cc): \(score), nothing broke" }
        return "\(grade.cc): \(score), \(failed) of \(grade.lines.count) scenarios failed"
    }
}
