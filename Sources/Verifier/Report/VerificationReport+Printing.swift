extension VerificationReport: CustomStringConvertible {
    /// For people: the problem, then Reason, At, Causal path, Suggestion.
    package var description: String {
        var lines = ["\(headline): \(category.rawValue): \(problem)"]
        lines += ["", "Reason:", "  \(reason)"]
        if let at { lines += ["", "At:"] + atLines(at) }
        if !causalPath.isEmpty {
            lines += ["", "Causal path:"]
            for step in causalPath { lines.append("  " + step.description) }
        }
        if let suggestion { lines += ["", "Suggestion:", "  \(suggestion)"] }
        return lines.joined(separator: "\n")
    }

    /// Whose no it is.
    package var headline: String {
        switch verdict {
        case .rejected: "Verification failed"
        case .notImplemented: "Not implemented here"
        case .refused(let subsystem): "Refused by \(subsystem)"
        }
    }

    /// The blocks under `At:`, one line each: source with `>>>` and `^-- error:`, then instructions.
    package var atLines: [String] { at.map(atLines) ?? [] }

    private func atLines(_ at: Location) -> [String] {
        var lines: [String] = []
        if let file = at.file, let line = at.line {
            lines.append("  \(file):\(line), in \(at.subprog)")
        } else {
            lines.append("  insn \(at.insn), in \(at.subprog)")
        }
        for line in at.source {
            lines.append(marked(line))
            if line.isMarked { lines.append(pointer(to: line)) }
        }
        for line in at.insns {
            lines.append(marked(line))
            if line.isMarked && at.source.isEmpty { lines.append(pointer(to: line)) }
        }
        return lines
    }

    private func marked(_ line: Location.Line) -> String {
        let number = String(line.number)
        let padding = String(repeating: " ", count: max(0, 5 - number.count))
        return "  \(line.isMarked ? ">>>" : "   ") \(padding)\(number) | \(line.text)"
    }

    /// Under the first character of the line's text.
    private func pointer(to line: Location.Line) -> String {
        let indent = line.text.prefix { $0 == " " || $0 == "\t" }
        return "            | \(indent)^-- error: \(problem)"
    }
}

extension VerificationReport.Step: CustomStringConvertible {
    package var description: String {
        guard let file, let line else { return "insn \(insn): \(text)" }
        let place = "\(file.lastPathComponent):\(line)"
        guard let source, !source.isEmpty else { return "\(place): \(text)" }
        return "\(place): `\(source)`: \(text)"
    }
}
