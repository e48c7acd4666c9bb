import BPF

/// What the C source calls things, read from line records; nil wherever that takes a guess.
enum SourceNames {
    /// The variable that a line assigns the result of a call to: `v` of `struct val *v = bpf_map_lookup_elem(&m, &k);`
    ///
    /// nil if the line calls the function more than once, or does anything else with the result.
    static func variable(assignedFrom callee: String, in line: some StringProtocol) -> String? {
        let line = String(line)
        guard let call = line.onlyRange(of: callee + "(") else { return nil }
        return assigned(line[..<call.lowerBound])
    }

    /// What a line calls a field that it reads: the variable it is stored in, or the expression: `tp->snd_cwnd`.
    static func expression(ofField field: String, in line: some StringProtocol) -> String? {
        let line = String(line)
        for arrow in ["->", "."] {
            guard let access = line.onlyRange(of: arrow + field) else { continue }
            if let next = line[access.upperBound...].first, next.isNameCharacter || next == "[" { continue }
            let base = line[..<access.lowerBound].reversed().prefix { $0.isPathCharacter }
            let expression = String(base.reversed()) + line[access]
            guard let first = expression.first, first.isNameCharacter, !first.isNumber else { continue }
            let start = line.index(access.lowerBound, offsetBy: -base.count)
            let rest = line[access.upperBound...].drop { $0.isWhitespace }
            if rest.first == ";", let variable = assigned(line[..<start]) { return variable }
            return expression
        }
        return nil
    }

    /// The variable in the only subscript of a line: `i` of `table[i] += 1;`.
    static func index(in line: some StringProtocol) -> String? {
        let line = String(line)
        guard let open = line.onlyRange(of: "["), let close = line.onlyRange(of: "]"),
            open.upperBound < close.lowerBound, let before = line[..<open.lowerBound].last,
            before.isNameCharacter || before == ")"
        else { return nil }
        let index = line[open.upperBound..<close.lowerBound].trimmingSpace
        guard let first = index.first, first.isNameCharacter, !first.isNumber,
            index.allSatisfy({ $0.isPathCharacter })
        else { return nil }
        return String(index)
    }

    /// The left side of an assignment that ends here, without its type: `v` of `struct val *v = (void *)`.
    private static func assigned(_ text: Substring) -> String? {
        var rest = text.dropTrailingSpace
        while rest.last == ")", let open = rest.lastIndex(of: "(") {
            rest = rest[..<open].dropTrailingSpace
        }
        guard rest.last == "=" else { return nil }
        rest = rest.dropLast().dropTrailingSpace
        // Not ==, +=, <= and their like.
        guard let last = rest.last, last.isNameCharacter else { return nil }
        let name = String(String(rest.reversed().prefix { $0.isPathCharacter }).reversed())
        let bare = name.drop { $0 == ">" || $0 == "-" || $0 == "." }
        guard let first = bare.first, first.isNameCharacter, !first.isNumber else { return nil }
        return String(bare)
    }
}

extension Character {
    fileprivate var isNameCharacter: Bool { isLetter || isNumber || self == "_" }
    fileprivate var isPathCharacter: Bool { isNameCharacter || self == ">" || self == "-" || self == "." }
}

extension Substring {
    fileprivate var trimmingSpace: Substring { drop { $0.isWhitespace }.dropTrailingSpace }
    fileprivate var dropTrailingSpace: Substring {
        var rest = self
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }
}

extension String {
    /// Where `part` stands, if it stands there once.
    fileprivate func onlyRange(of part: String) -> Range<String.Index>? {
        var found: Range<String.Index>?
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(part) {
                if found != nil { return nil }
                found = start..<index(start, offsetBy: part.count)
            }
            start = index(after: start)
        }
        return found
    }
}
