/// What to do about a refusal, in terms of the C source.
///
/// The checks say which rule is broken, in the kernel's words; these words are looked up here. Each entry is a pattern
/// of a problem, in which `*` stands for anything, and a sentence made from what the causal path has found: names,
/// sizes, lines. So the advice for all refusals is in one place, and a test holds it against programs.
struct Advice: Sendable {
    let pattern: String
    /// nil: not for this one; the next that matches is asked.
    let sentence: @Sendable (Evidence) -> String?

    init(_ pattern: String, _ sentence: @escaping @Sendable (Evidence) -> String?) {
        self.pattern = pattern
        self.sentence = sentence
    }

    /// For sentences that need no evidence.
    init(_ pattern: String, _ sentence: String) {
        self.init(pattern) { _ in sentence }
    }

    /// What is known of one refusal.
    struct Evidence: Sendable {
        /// What the stars of the pattern stand for.
        var parts: [String]
        var line: Int?
        /// The C expression in question, if it is certain.
        var name: String?
        /// The number that was added to it.
        var index: String?
        var origin: CausalPath.Origin?
        /// The array that is indexed, if BTF says.
        var array: CausalPath.IndexedArray?
        /// How the function returns early: `return 0;`.
        var exit: String
        var report: VerificationReport

        /// `before line 12`, or nothing.
        var beforeLine: String { line.map { "before line \($0)" } ?? "before this instruction" }
        func part(_ index: Int) -> String { parts.indices.contains(index) ? parts[index] : "" }
        func number(_ index: Int) -> Int? { Int(part(index)) }
    }

    static func suggestion(
        for report: VerificationReport, _ cause: CausalPath?, returnsValue: Bool, fallback: String?
    ) -> String? {
        guard report.verdict != .notImplemented else { return fallback }
        var evidence = Evidence(
            parts: [], line: report.at?.line, name: cause?.name, index: cause?.indexName,
            origin: cause?.origin, array: cause?.array, exit: returnsValue ? "return 0;" : "return;",
            report: report)
        for advice in all {
            guard let parts = report.problem.parts(matching: advice.pattern) else { continue }
            evidence.parts = parts
            if let sentence = advice.sentence(evidence) { return sentence }
        }
        return fallback
    }

    static let all: [Advice] = pointers + memory + stack + packets + numbers + calls + resources + structure
}

extension String {
    /// What the stars of a pattern stand for in this; nil if it does not match. A star takes as little as it can.
    func parts(matching pattern: String) -> [String]? {
        let pieces = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard let first = pieces.first, hasPrefix(first) else { return nil }
        var rest = dropFirst(first.count)
        var parts: [String] = []
        for (index, piece) in pieces.enumerated().dropFirst() {
            if index == pieces.count - 1 {
                guard rest.hasSuffix(piece), rest.count >= piece.count else { return nil }
                parts.append(String(rest.dropLast(piece.count)))
                return parts
            }
            guard let found = rest.firstRange(of: piece) else { return nil }
            parts.append(String(rest[..<found.lowerBound]))
            rest = rest[found.upperBound...]
        }
        return rest.isEmpty ? parts : nil
    }
}
