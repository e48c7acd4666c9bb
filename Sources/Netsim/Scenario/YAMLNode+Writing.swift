extension YAMLNode {
    /// On one line, as YAML that reads back to the same tree.
    package var flowText: String {
        switch content {
        case .scalar(let text): Self.scalarText(text)
        case .sequence(let elements): "[" + elements.map(\.flowText).joined(separator: ", ") + "]"
        case .mapping(let entries):
            "{" + entries.map { $0.key.flowText + ": " + $0.value.flowText }.joined(separator: ", ") + "}"
        }
    }

    /// As a file: a line for each key, and for each part of what a key holds.
    package var blockText: String {
        guard case .mapping(let entries) = content else { return flowText + "\n" }
        return entries.map { entry in
            let key = entry.key.flowText + ":"
            switch entry.value.content {
            case .sequence(let elements) where !elements.isEmpty:
                return key + "\n" + elements.map { "  - \($0.flowText)\n" }.joined()
            case .mapping(let inner) where !inner.isEmpty:
                return key + "\n" + inner.map { "  \($0.key.flowText): \($0.value.flowText)\n" }.joined()
            default: return "\(key) \(entry.value.flowText)\n"
            }
        }.joined()
    }

    /// As it is where that is safe inside brackets, else in double quotes.
    private static func scalarText(_ text: String) -> String {
        let plain = text.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || " ._-%/+<>=~()".utf8.contains(byte)
        }
        let first = text.utf8.first.map { UInt8($0) } ?? 0
        let startsWell = (48...57).contains(first) || (65...90).contains(first) || (97...122).contains(first)
        if plain, startsWell, text.last != " " { return text }
        let escaped = text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            case "\n": "\\n"
            case "\t": "\\t"
            default: String(scalar)
            }
        }
        return "\"" + escaped.joined() + "\""
    }
}
