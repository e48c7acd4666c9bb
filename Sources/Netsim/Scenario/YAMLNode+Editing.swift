extension YAMLNode {
    /// Puts a value at a place, in all places that the path names; nil takes away what stands there.
    ///
    /// `links.bottleneck.rate`, `flows.a.rtt` (an element of a list by its `name`), `flows.*.rtt` (all of them),
    /// `flows.a.params.beta`, `flows[0].path[1]`. Names may have points in them: the longest that fits is meant.
    /// A last key that is not there is added, and so are `host` and `params`.
    ///
    /// - Returns: false if there is no such place.
    package mutating func set(_ path: String, to value: YAMLNode?) -> Bool { set(path[...], to: value) }

    private mutating func set(_ path: Substring, to value: YAMLNode?) -> Bool {
        switch content {
        case .scalar: return false
        case .mapping(var entries):
            let isDone = Self.set(path, to: value, in: &entries)
            content = .mapping(entries)
            return isDone
        case .sequence(var elements):
            let found = Self.place(path, in: elements)
            var isDone = !found.isEmpty
            // From the end, so that what is taken away shifts no other.
            for (index, rest) in found.reversed() {
                if !rest.isEmpty {
                    isDone = elements[index].set(rest, to: value) && isDone
                } else if let value {
                    elements[index] = value
                } else {
                    elements.remove(at: index)
                }
            }
            content = .sequence(elements)
            return isDone
        }
    }

    private static func set(_ path: Substring, to value: YAMLNode?, in entries: inout [Entry]) -> Bool {
        let found = entries.indices.compactMap { index in
            rest(of: path, after: entries[index].key.scalar ?? "").map { (index, $0) }
        }
        if let (index, rest) = found.min(by: { $0.1.count < $1.1.count }) {
            if !rest.isEmpty { return entries[index].value.set(rest, to: value) }
            if let value { entries[index].value = value } else { entries.remove(at: index) }
            return true
        }
        guard let value else { return false }
        guard let dot = path.firstIndex(where: { $0 == "." || $0 == "[" }) else {
            entries.append(Entry(key: YAMLNode(.scalar(String(path)), at: value.place), value: value))
            return true
        }
        guard ["host", "params"].contains(path[..<dot]) else { return false }
        var inner = YAMLNode(.mapping([]), at: value.place)
        guard inner.set(path[dot...].drop { $0 == "." }, to: value) else { return false }
        entries.append(Entry(key: YAMLNode(.scalar(String(path[..<dot])), at: value.place), value: inner))
        return true
    }

    /// Which elements the path's first part names, with the rest of it.
    private static func place(_ path: Substring, in elements: [YAMLNode]) -> [(Int, Substring)] {
        if let rest = rest(of: path, after: "*") { return elements.indices.map { ($0, rest) } }
        let named = elements.indices.compactMap { index in
            rest(of: path, after: elements[index]["name"]?.scalar ?? "").map { (index, $0) }
        }
        if let best = named.min(by: { $0.1.count < $1.1.count }) { return [best] }
        guard path.first == "[", let end = path.firstIndex(of: "]"),
            let index = Int(path[..<end].dropFirst()), elements.indices.contains(index)
        else { return [] }
        return [(index, path[end...].dropFirst().drop { $0 == "." })]
    }

    /// `b.c` of `a.b.c` after `a`; nil if the path does not begin with the name.
    private static func rest(of path: Substring, after name: String) -> Substring? {
        guard !name.isEmpty, path.hasPrefix(name) else { return nil }
        let rest = path.dropFirst(name.count)
        guard let next = rest.first else { return rest }
        return next == "." ? rest.dropFirst() : next == "[" ? rest : nil
    }
}
