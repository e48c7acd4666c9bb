package import ControlAPI

/// What changed from one operand to another, figure by figure, and whether beyond the noise.
package struct Comparison: Sendable {
    package struct Change: Sendable {
        /// Point and algorithm of a sweep; empty for results.
        package var place: [String]
        package var figure: String
        package var unit: String
        package var before: Sample
        package var after: Sample
        /// nil: one of them is a single run, so that nothing is known of the noise.
        package var test: WelchTest?
        /// The test's p, as large as it must be taken among so many tests.
        package var adjustedP: Double?

        package var difference: Double { after.mean - before.mean }
        /// Share of the value before; nil if that is 0.
        package var relative: Double? { before.mean == 0 ? nil : difference / abs(before.mean) }
        package var verdict: Verdict {
            guard difference != 0 else { return .same }
            return adjustedP.map { $0 < 0.05 ? .changed : .noise } ?? .unknown
        }
    }

    package enum Verdict: String, Sendable {
        case changed, same
        /// A difference as large as this one is nothing unusual between runs with other seeds.
        case noise = "within noise"
        case unknown = "noise unknown"
    }

    package let before: String
    package let after: String
    /// What both have, in order.
    package let changes: [Change]
    /// What only one of them has.
    package let unmatched: [String]

    package init(_ a: ComparisonOperand, _ b: ComparisonOperand) {
        (before, after) = (a.name, b.name)
        var changes: [Change] = []
        var unmatched: [String] = []
        for key in Set(a.samples.keys).union(b.samples.keys).sorted() {
            guard let old = a.samples[key], let new = b.samples[key] else {
                unmatched.append((key.place + [key.figure]).joined(separator: " "))
                continue
            }
            let unit = a.units[key.figure] ?? ""
            changes.append(
                Change(
                    place: key.place, figure: key.figure, unit: unit, before: old, after: new,
                    test: WelchTest(old, new)))
        }
        Self.adjust(&changes)
        (self.changes, self.unmatched) = (changes, unmatched)
    }

    /// Of a hundred figures some differ by chance. Benjamini and Hochberg (1995): of those called changed, at most one in
    /// twenty is expected not to be.
    private static func adjust(_ changes: inout [Change]) {
        let tested = changes.indices.filter { changes[$0].test != nil && changes[$0].difference != 0 }
            .sorted { (changes[$0].test?.p ?? 1, $0) < (changes[$1].test?.p ?? 1, $1) }
        var least = 1.0
        for (rank, index) in tested.enumerated().reversed() {
            least = min(least, (changes[index].test?.p ?? 1) * Double(tested.count) / Double(rank + 1))
            changes[index].adjustedP = least
        }
    }

    package var json: JSONValue {
        [
            "before": .string(before), "after": .string(after), "changes": .array(changes.map(\.json)),
            "unmatched": .array(unmatched.map { .string($0) }),
        ]
    }
}

extension Comparison.Change {
    var json: JSONValue {
        [
            "place": .array(place.map { .string($0) }), "figure": .string(figure), "unit": .string(unit),
            "before": before.json, "after": after.json, "difference": .double(difference),
            "relative": relative.map { .double($0) } ?? .null,
            "ci95": test.map {
                .array([.double(difference - $0.halfWidth95), .double(difference + $0.halfWidth95)])
            }
                ?? .null,
            "p": test.map { .double($0.p) } ?? .null, "p_adjusted": adjustedP.map { .double($0) } ?? .null,
            "verdict": .string(verdict.rawValue),
        ]
    }
}
