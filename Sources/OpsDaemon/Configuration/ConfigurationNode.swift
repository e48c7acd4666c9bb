import Yams

/// Why a configuration is not taken: where, which value, what is accepted. Lower case, without a full stop.
struct ConfigurationError: Error, Equatable {
    var text: String
}

/// One value of a configuration file, with where it stands.
struct ConfigurationNode {
    let node: Node
    let file: String
    /// From the outside in: `limits.memory`. Empty: the whole file.
    let path: String

    /// - Returns: nil for a file without any value.
    init?(parsing text: String, file: String) throws(ConfigurationError) {
        do {
            guard let root = try Yams.compose(yaml: text) else { return nil }
            self.init(root, file: file, path: "")
        } catch let error as YamlError {
            throw ConfigurationError(text: Self.describe(error, file: file))
        } catch {
            throw ConfigurationError(text: "\(file): not a YAML document: \(error)")
        }
        // A file of comments alone.
        if node.tag == Tag(.null) { return nil }
    }

    private init(_ node: Node, file: String, path: String) {
        self.node = node
        self.file = file
        self.path = path
    }

    private static func describe(_ error: YamlError, file: String) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "\(file):\(mark.line):\(mark.column): \(problem)"
        default: "\(file): not well-formed YAML: \("\(error)".prefix(200))"
        }
    }

    func refuse(_ why: String, accepted: String) -> ConfigurationError {
        let place = node.mark.map { "\(file):\($0.line):\($0.column)" } ?? file
        let value = node.scalar.map { "'\($0.string.prefix(60))'" }
        let subject = [path.isEmpty ? nil : path, value].compactMap { $0 }.joined(separator: " ")
        return ConfigurationError(
            text: "\(place): \(subject.isEmpty ? "" : subject + ": ")\(why); accepted: \(accepted)")
    }

    // MARK: Scalars

    func read<Value>(_ accepted: String, _ parse: (String) -> Value?) throws(ConfigurationError) -> Value {
        guard let text = node.scalar?.string else { throw refuse("expected one value", accepted: accepted) }
        guard let value = parse(text) else { throw refuse("not accepted", accepted: accepted) }
        return value
    }

    func choice<Value: RawRepresentable & CaseIterable>() throws(ConfigurationError) -> Value
    where Value.RawValue == String {
        try read(Value.allCases.map(\.rawValue).joined(separator: ", ")) { Value(rawValue: $0) }
    }

    func boolean() throws(ConfigurationError) -> Bool {
        try read("true or false") { ["true": true, "false": false][$0] }
    }

    func integer(_ range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        try read("a whole number, \(range.lowerBound) to \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A large number, in full or in powers of 1024.
    func count(_ range: ClosedRange<UInt64>) throws(ConfigurationError) -> UInt64 {
        try read("a number, \(range.lowerBound) to \(range.upperBound): 1000, 8Mi (Ki Mi Gi Ti)") { text in
            let units = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40)]
            let (unit, shift) = units.first { text.hasSuffix($0.0) } ?? ("", 0)
            guard let number = UInt64(text.dropLast(unit.count)), number <= UInt64.max >> shift else {
                return nil
            }
            return range.contains(number << shift) ? number << shift : nil
        }
    }

    func name() throws(ConfigurationError) -> String {
        try read("a name of at most 64 letters, digits, '_', '-' and '.'") { text in
            let isName = text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
                    UInt8(ascii: "."):
                    true
                default: false
                }
            }
            return isName && (1...64).contains(text.utf8.count) ? text : nil
        }
    }

    func absolutePath() throws(ConfigurationError) -> String {
        try read("a path from the root") { $0.hasPrefix("/") ? $0 : nil }
    }

    /// In bytes. Multiples of 1024 only: limits on memory are counted in pages.
    func size() throws(ConfigurationError) -> Int {
        try read("a size of 4KiB to 1TiB: 64MiB (KiB MiB GiB TiB)") { text in
            let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)]
            guard let (unit, shift) = units.first(where: { text.hasSuffix($0.0) }),
                let number = Int(text.dropLast(unit.count)), (1...(1 << 30)).contains(number)
            else { return nil }
            let bytes = number << shift
            return (4096...(1 << 40)).contains(bytes) ? bytes : nil
        }
    }

    func seconds(_ range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        let accepted = "a time of \(range.lowerBound)s to \(range.upperBound)s: 30s, 2min, 12h"
        return try read(accepted) { Self.seconds($0, range) }
    }

    /// - Returns: nil for `none`.
    func secondsOrNone(_ range: ClosedRange<Int>) throws(ConfigurationError) -> Int? {
        if node.scalar?.string == "none" { return nil }
        return try seconds(range)
    }

    private static func seconds(_ text: String, _ range: ClosedRange<Int>) -> Int? {
        let units = [("min", 60), ("s", 1), ("h", 3600)]
        guard let (unit, factor) = units.first(where: { text.hasSuffix($0.0) }),
            let number = Int(text.dropLast(unit.count)), (0...1_000_000_000).contains(number)
        else { return nil }
        return range.contains(number * factor) ? number * factor : nil
    }

    // MARK: Collections

    /// The members of a mapping, in order; a key that `Key` does not list is refused.
    func members<Key: RawRepresentable & CaseIterable>(
        _ keys: Key.Type = Key.self
    ) throws(ConfigurationError) -> [(key: Key, value: ConfigurationNode)] where Key.RawValue == String {
        guard let mapping = node.mapping else { throw refuse("expected a mapping", accepted: "key: value") }
        var members: [(key: Key, value: ConfigurationNode)] = []
        for (keyNode, value) in mapping {
            let name = keyNode.scalar?.string ?? "?"
            let inner = path.isEmpty ? name : "\(path).\(name)"
            guard let key = Key(rawValue: name) else {
                throw ConfigurationNode(keyNode, file: file, path: path).refuse(
                    "unknown key", accepted: Key.allCases.map(\.rawValue).joined(separator: ", "))
            }
            members.append((key, ConfigurationNode(value, file: file, path: inner)))
        }
        return members
    }

    func list() throws(ConfigurationError) -> [ConfigurationNode] {
        guard let sequence = node.sequence else { throw refuse("expected a list", accepted: "[a, b]") }
        return sequence.enumerated().map { index, value in
            ConfigurationNode(value, file: file, path: "\(path)[\(index)]")
        }
    }

    func names() throws(ConfigurationError) -> Set<String> {
        var names: Set<String> = []
        for item in try list() { names.insert(try item.name()) }
        return names
    }
}
