/// Text of OpenMetrics 1.0, family by family.
struct OpenMetrics {
    enum Kind: String { case counter, gauge, histogram, info }
    typealias Labels = KeyValuePairs<String, String>

    private(set) var text = ""

    /// A family whose samples follow. Names carry the unit; a counter's samples end in `_total`.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        text += "# TYPE \(name) \(kind.rawValue)\n# HELP \(name) \(help)\n"
    }

    mutating func sample(
        _ name: String, _ labels: Labels = [:], is value: some Numeric & CustomStringConvertible
    ) {
        let list = labels.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
        text += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
    }

    /// A family of one sample.
    mutating func gauge(_ name: String, _ help: String, _ value: some Numeric & CustomStringConvertible) {
        family(name, .gauge, help)
        sample(name, is: value)
    }

    mutating func counter(_ name: String, _ help: String, _ value: some Numeric & CustomStringConvertible) {
        family(name, .counter, help)
        sample(name + "_total", is: value)
    }

    mutating func end() { text += "# EOF\n" }

    private static func escaped(_ value: String) -> String {
        var escaped = ""
        for character in value {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
