package import OpsCore

/// One value of a scenario file, with where it stands; refusals name both.
package struct ScenarioNode {
    package let node: YAMLNode
    /// What it is, from the outside in: `flows[1].app`.
    package let path: String

    package init(node: YAMLNode, path: String) {
        self.node = node
        self.path = path
    }

    /// An EINVAL with file, line and column, the value, and what is accepted.
    package func refuse(_ why: String, accepted: String) -> OpsError {
        let value = node.scalar.map { " '\(Self.shortened($0))'" } ?? ""
        return OpsError(
            "scenario", errno: OpsError.einval,
            "\(node.place.text): \(path.isEmpty ? "scenario" : path)\(value): \(why)",
            at: OpsError.Location(file: node.place.file, line: line), reason: "accepted: \(accepted)")
    }

    private static func shortened(_ text: String) -> String {
        text.count <= 60 ? text : text.prefix(60) + "…"
    }

    package var line: Int? { node.place.line }

    // MARK: Scalars

    package var scalar: String? { node.scalar }

    package func read<T>(_ parse: (String) -> T?, accepted: String) throws(OpsError) -> T {
        guard let text = scalar else { throw refuse("expected one value", accepted: accepted) }
        guard let value = parse(text) else { throw refuse("not accepted", accepted: accepted) }
        return value
    }

    package func time() throws(OpsError) -> Int64 {
        try read(Quantity.time, accepted: "a time of at most 24 h: 20ms, 1.5s (ns us ms s)")
    }
    package func positiveTime() throws(OpsError) -> Int64 {
        let value = try time()
        guard value > 0 else { throw refuse("not accepted", accepted: "a time above 0: 20ms, 1.5s") }
        return value
    }
    func rate() throws(OpsError) -> UInt64 {
        try read(Quantity.rate, accepted: "a rate of 1bit to 100Gbit: 50Mbit (bit kbit Mbit Gbit)")
    }
    package func boolean() throws(OpsError) -> Bool { try read(Quantity.boolean, accepted: "true or false") }
    package func integer(_ range: ClosedRange<UInt64>) throws(OpsError) -> UInt64 {
        try read(
            { text in
                Quantity.integer(text, limit: range.upperBound).flatMap { $0 >= range.lowerBound ? $0 : nil }
            },
            accepted: "a whole number, \(range.lowerBound) to \(range.upperBound)")
    }
    func size() throws(OpsError) -> UInt64 {
        try read({ Quantity.size($0, bdp: nil) }, accepted: "a size: 100kB (B kB MB GB KiB MiB)")
    }

    /// A name of a link, flow or congestion control.
    package func name() throws(OpsError) -> String {
        try read(
            { text in
                let allowed = text.utf8.allSatisfy { byte in
                    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                        || byte == 95 || byte == 46 || byte == 45
                }
                return allowed && !text.isEmpty && text.utf8.count <= 64 ? text : nil
            }, accepted: "a name of letters, digits, '_', '.' and '-', at most 64 bytes")
    }

    // MARK: Collections

    package var isList: Bool { node.sequence != nil }
    package var isMapping: Bool { node.mapping != nil }

    /// Members of a mapping by key; keys that `known` does not list are refused.
    package func mapping(_ known: [String]) throws(OpsError) -> [String: ScenarioNode] {
        var members: [String: ScenarioNode] = [:]
        for (key, value) in try entries(limit: 64) {
            guard known.contains(key.scalar ?? "") else {
                throw key.refuse("unknown key", accepted: known.joined(separator: ", "))
            }
            members[key.scalar ?? ""] = value
        }
        return members
    }

    /// Key and value nodes of a mapping, in order.
    package func entries(limit: Int) throws(OpsError) -> [(ScenarioNode, ScenarioNode)] {
        guard let mapping = node.mapping else { throw refuse("expected a mapping", accepted: "key: value") }
        guard mapping.count <= limit else { throw refuse("too long", accepted: "at most \(limit) entries") }
        return mapping.map { entry in
            let name = entry.key.scalar ?? "?"
            let inner = path.isEmpty ? name : "\(path).\(name)"
            return (
                ScenarioNode(node: entry.key, path: path), ScenarioNode(node: entry.value, path: inner)
            )
        }
    }

    package func list(limit: Int) throws(OpsError) -> [ScenarioNode] {
        guard let sequence = node.sequence else { throw refuse("expected a list", accepted: "[a, b]") }
        guard sequence.count <= limit else { throw refuse("too long", accepted: "at most \(limit) entries") }
        return sequence.enumerated().map { index, value in
            ScenarioNode(node: value, path: "\(path)[\(index)]")
        }
    }
}
