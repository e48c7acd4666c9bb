import ControlAPI
import Netsim

/// Makes a scenario smaller as long as it still shows what it is there for: first parts are taken away, then values made
/// plain.
struct Shrinker {
    let stillShows: (YAMLNode) throws(Refusal) -> Bool

    func smallest(_ tree: YAMLNode) throws(Refusal) -> YAMLNode {
        var tree = tree
        // What one round takes away may let the next take away more.
        for _ in 0..<4 {
            let before = tree
            try takeAway(&tree)
            try makePlain(&tree)
            if tree == before { break }
        }
        return tree
    }

    private func keep(_ edit: (inout YAMLNode) -> Bool, in tree: inout YAMLNode) throws(Refusal) {
        var candidate = tree
        guard edit(&candidate), candidate != tree, try stillShows(candidate) else { return }
        tree = candidate
    }

    // MARK: Parts

    private func takeAway(_ tree: inout YAMLNode) throws(Refusal) {
        // Large parts first: the fewer flows, the faster is every later run.
        for name in names(tree["flows"]) { try keep({ $0.set("flows.\(name)", to: nil) }, in: &tree) }
        for name in names(tree["links"]) {
            try keep({ $0.set("links.\(name)", to: nil) && $0.leaveOutLink(name) }, in: &tree)
        }
        for (list, required) in [
            ("flows", ["name", "cc", "path", "rtt"]), ("links", ["rate", "delay", "buffer"]),
        ] {
            for name in names(tree[list]) {
                let keys = tree.element(list, name)?.mapping?.compactMap(\.key.scalar) ?? []
                for key in keys where !required.contains(key) {
                    try keep({ $0.set("\(list).\(name).\(key)", to: nil) }, in: &tree)
                }
            }
        }
        try keep({ $0.set("seed", to: nil) }, in: &tree)
    }

    private func names(_ node: YAMLNode?) -> [String] {
        node?.mapping?.compactMap(\.key.scalar) ?? node?.sequence?.compactMap { $0["name"]?.scalar } ?? []
    }

    // MARK: Values

    /// What reads as nothing in particular, by key; the first that still shows it is taken.
    private static let plain: [(list: String, key: String, values: [String])] = [
        ("links", "rate", ["10Mbit"]), ("links", "buffer", ["1bdp"]), ("links", "loss", ["1%"]),
        ("links", "jitter", ["1ms"]), ("flows", "rtt", ["40ms", "100ms"]), ("flows", "start", ["1s"]),
    ]

    private func makePlain(_ tree: inout YAMLNode) throws(Refusal) {
        try replace("duration", by: ["5s", "8s"], in: &tree)
        for (list, key, values) in Self.plain {
            for name in names(tree[list]) where tree.element(list, name)?[key] != nil {
                try replace("\(list).\(name).\(key)", by: values, in: &tree)
            }
        }
    }

    private func replace(_ path: String, by values: [String], in tree: inout YAMLNode) throws(Refusal) {
        for value in values {
            let before = tree
            var candidate = tree
            guard candidate.set(path, to: .text(value)), candidate != before else { return }
            try keep({ $0.set(path, to: .text(value)) }, in: &tree)
            if tree != before { return }
        }
    }
}

extension YAMLNode {
    /// A link, or a flow, by its name.
    fileprivate func element(_ list: String, _ name: String) -> YAMLNode? {
        self[list]?[name] ?? self[list]?.sequence?.first { $0["name"]?.scalar == name }
    }

    /// Takes a link out of all paths.
    fileprivate mutating func leaveOutLink(_ link: String) -> Bool {
        for flow in self["flows"]?.sequence ?? [] {
            guard let name = flow["name"]?.scalar, let path = flow["path"]?.sequence else { continue }
            let rest = path.filter { $0.scalar != link }
            guard set("flows.\(name).path", to: YAMLNode(.sequence(rest), at: place)) else { return false }
        }
        return true
    }
}
