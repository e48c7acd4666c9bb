package import ControlAPI
package import Netsim

/// A report card: how a congestion control does in each scenario of a suite, beside the references.
package struct Grade: Sendable {
    /// What everybody is measured against.
    package static let references = ["reno", "cubic", "bbr"]

    package let cc: String
    package let lines: [Line]

    /// Of 100: the mean over the scenarios.
    package var score: Double { mean(lines.map(\.score)) ?? 0 }
    package var failures: [Line] { lines.filter { $0.mark == .failed } }

    package enum Mark: String, Sendable {
        case a = "A"
        case b = "B"
        case c = "C"
        case d = "D"
        /// It broke something that must hold.
        case failed = "F"
    }

    package struct Line: Sendable {
        package let scenario: String
        package let file: String
        package let figure: GradedFigure
        /// In the figure's unit; nil: the result has none.
        package let value: Double?
        /// In the order of `Grade.references`.
        package let references: [Double?]
        /// What must hold and does not.
        package let broken: [ExpectationVerdict]
        /// The run itself failed.
        package let refusal: Refusal?

        /// How near to the best reference, of 100; 0 for what failed.
        package var score: Double {
            guard refusal == nil, broken.isEmpty, let value else { return 0 }
            let known = references.compactMap { $0 }
            guard let best = figure.isHigherBetter ? known.max() : known.min() else { return 100 }
            // Near nothing, differences say nothing: a millisecond, a packet.
            let floor = figure.unit == .time || figure.unit == .count ? 1.0 : 0
            let (above, below) = figure.isHigherBetter ? (value, best) : (best + floor, value + floor)
            return below > 0 ? min(max(above / below, 0), 1) * 100 : 100
        }

        package var mark: Mark {
            guard refusal == nil, broken.isEmpty, value != nil else { return .failed }
            return switch score {
            case 90...: .a
            case 75...: .b
            case 50...: .c
            default: .d
            }
        }

        package var figureName: String { figure.path }

        /// Its own figure and the references', for people.
        package var figures: [String] {
            ([value] + references).map { $0.map(figure.unit.text) ?? "–" }
        }

        /// What broke, in words, one each.
        package var complaints: [String] {
            if let refusal { return ["the run failed: \(refusal.text)"] }
            return broken.map { verdict in
                (verdict.meaning.map { $0 + ": " } ?? "")
                    + "\(verdict.expectation), but \(verdict.explanation)"
            }
        }
    }
}

extension Grade {
    package var json: JSONValue {
        [
            "cc": .string(cc), "passed": .bool(failures.isEmpty), "score": .double(rounded(score)),
            "references": .array(Grade.references.map { .string($0) }),
            "scenarios": .array(lines.map(json)),
        ]
    }

    private func json(_ line: Line) -> JSONValue {
        [
            "scenario": .string(line.scenario), "file": .string(line.file),
            "mark": .string(line.mark.rawValue), "score": .double(rounded(line.score)),
            "figure": .string(line.figure.path), "unit": .string(line.figure.unit.name),
            "better": line.figure.isHigherBetter ? "higher" : "lower",
            "value": line.value.map { .double($0) } ?? .null,
            "references": .array(line.references.map { $0.map { .double($0) } ?? .null }),
            "broken": .array(line.broken.map(\.json)),
            "complaints": .array(line.complaints.map { .string($0) }),
        ]
    }

    private func rounded(_ score: Double) -> Double { (score * 10).rounded() / 10 }
}
