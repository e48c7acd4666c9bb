extension VerificationReport: CustomStringConvertible {
    /// For people: the problem, then Reason, At, Causal path, Suggestion.
    package var description: String {
        var lines = [
            "\(isUnsupported ? "Not implemented here" : "Verification failed"): \(category.rawValue): \(problem)"
        ]
        lines += ["", "Reason:", "  \(reason)"]
        if let at { lines += ["", "At:"] + atLines(at) }
        if !causalPath.isEmpty {
            lines += ["", "Causal path:"]
            for step in causalPath {
                let place = step.file.map { "\($0.lastPathComponent):\(step.line ?? 0): " } ?? ""
                lines.append("  insn \(step.insn): \(place)\(step.text)")
            }
        }
        if let suggestion { lines += ["", "Suggestion:", "  \(suggestion)"] }
        return lines.joined(separator: "\n")
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

extension String {
    fileprivate var lastPathComponent: Substring { split(separator: "/").last ?? self[...] }
}
