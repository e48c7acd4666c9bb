package import OpsCore
internal import Yams

/// A YAML file as a value: every node knows where it stands, so that one that is moved to another file's tree (a sweep
/// puts values into a scenario) is still refused at its own place.
package struct YAMLNode: Equatable, Sendable {
    package enum Content: Equatable, Sendable {
        case scalar(String)
        /// In the file's order.
        case mapping([Entry])
        case sequence([YAMLNode])
    }

    package struct Entry: Equatable, Sendable {
        package var key: YAMLNode
        package var value: YAMLNode

        package init(key: YAMLNode, value: YAMLNode) { (self.key, self.value) = (key, value) }
    }

    package struct Place: Equatable, Sendable {
        package var file: String
        /// From 1; nil: nobody wrote it.
        package var line: Int?
        package var column: Int?

        package init(file: String, line: Int? = nil, column: Int? = nil) {
            (self.file, self.line, self.column) = (file, line, column)
        }

        var text: String { line.flatMap { line in column.map { "\(file):\(line):\($0)" } } ?? file }
    }

    package var content: Content
    package var place: Place

    package init(_ content: Content, at place: Place) {
        self.content = content
        self.place = place
    }

    package var scalar: String? {
        if case .scalar(let text) = content { text } else { nil }
    }
    package var mapping: [Entry]? {
        if case .mapping(let entries) = content { entries } else { nil }
    }
    package var sequence: [YAMLNode]? {
        if case .sequence(let elements) = content { elements } else { nil }
    }

    /// A mapping's value.
    package subscript(key: String) -> YAMLNode? { mapping?.first { $0.key.scalar == key }?.value }
}

extension YAMLNode {
    /// - Throws: EINVAL with file, line and column for what is no YAML or nested too deeply; E2BIG for a file over 1 MiB.
    package static func parse(_ text: String, file: String) throws(OpsError) -> YAMLNode {
        guard text.utf8.count <= Scenario.Limit.bytes else {
            throw OpsError(
                "scenario", errno: OpsError.e2big, "\(file): \(text.utf8.count) bytes",
                reason: "a scenario has at most \(Scenario.Limit.bytes) bytes")
        }
        try checkNesting(text, file: file)
        let root: Node?
        do { root = try Yams.compose(yaml: text) } catch { throw yamlError(error, file: file) }
        guard let root else {
            throw OpsError(
                "scenario", errno: OpsError.einval, "\(file):1:1: the file is empty",
                at: OpsError.Location(file: file, line: 1))
        }
        var count = 0
        return try YAMLNode(root, file: file, depth: 0, count: &count)
    }

    /// Aliases stand for copies, so that a short text can describe a huge tree, or a deep one.
    private enum Most {
        static let nodes = 1 << 20
        static let depth = 64
    }

    private init(_ node: Node, file: String, depth: Int, count: inout Int) throws(OpsError) {
        let place = Place(file: file, line: node.mark?.line, column: node.mark?.column)
        count += 1
        guard count <= Most.nodes, depth <= Most.depth else {
            throw OpsError(
                "scenario", errno: OpsError.einval, "\(place.text): its aliases make too large a tree",
                at: OpsError.Location(file: file, line: place.line),
                reason: "accepted: at most \(Most.nodes) values, \(Most.depth) inside each other")
        }
        func inner(_ node: Node, _ count: inout Int) throws(OpsError) -> YAMLNode {
            try YAMLNode(node, file: file, depth: depth + 1, count: &count)
        }
        switch node {
        case .scalar(let scalar): self.init(.scalar(scalar.string), at: place)
        case .mapping(let mapping):
            var entries: [Entry] = []
            for (key, value) in mapping {
                entries.append(Entry(key: try inner(key, &count), value: try inner(value, &count)))
            }
            self.init(.mapping(entries), at: place)
        case .sequence(let sequence):
            var elements: [YAMLNode] = []
            for element in sequence { elements.append(try inner(element, &count)) }
            self.init(.sequence(elements), at: place)
        // The composer puts the anchor's node in an alias's place; one that is left over stands for nothing.
        case .alias: self.init(.scalar(""), at: place)
        }
    }

    /// The composer of the YAML library is recursive: what is nested deeper than any scenario never reaches it.
    private static func checkNesting(_ text: String, file: String) throws(OpsError) {
        var brackets = 0
        var line = 1
        var isIndentation = true
        var indentation = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\n"):
                line += 1
                isIndentation = true
                indentation = 0
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                brackets += 1
                isIndentation = false
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                brackets = max(0, brackets - 1)
                isIndentation = false
            case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: "\t"),
                UInt8(ascii: ":"):
                if isIndentation { indentation += 1 }
            default: isIndentation = false
            }
            if brackets > 32 || indentation > 200 {
                throw OpsError(
                    "scenario", errno: OpsError.einval, "\(file):\(line): nested too deeply",
                    at: OpsError.Location(file: file, line: line),
                    reason: "accepted: at most 32 open brackets and 200 columns of indentation")
            }
        }
    }

    private static func yamlError(_ error: any Error, file: String) -> OpsError {
        guard let yaml = error as? YamlError else {
            return OpsError(
                "scenario", errno: OpsError.einval, "\(file): not a YAML document", reason: "\(error)")
        }
        switch yaml {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return OpsError(
                "scenario", errno: OpsError.einval, "\(file):\(mark.line):\(mark.column): \(problem)",
                at: OpsError.Location(file: file, line: mark.line), reason: "not well-formed YAML")
        default:
            return OpsError(
                "scenario", errno: OpsError.einval, "\(file): not well-formed YAML",
                reason: String("\(yaml)".prefix(400)))
        }
    }
}
