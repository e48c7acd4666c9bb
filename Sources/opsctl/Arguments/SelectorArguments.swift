import ControlAPI

/// The words of a command line after its verb, read from left to right in bpftool's grammar.
struct Words {
    private var words: ArraySlice<String>

    init(_ words: [String]) {
        self.words = words[...]
    }

    var isEmpty: Bool { words.isEmpty }

    /// Takes `word` if it comes next.
    mutating func take(_ word: String) -> Bool {
        guard words.first == word else { return false }
        words.removeFirst()
        return true
    }

    /// `id N`, `name S`, or nothing.
    mutating func takeSelector() throws(Refusal) -> Selector {
        guard let keyword = words.first, keyword == "id" || keyword == "name" else { return Selector() }
        words.removeFirst()
        guard let value = words.popFirst() else { throw .usage("'\(keyword)' needs a value") }
        if keyword == "name" { return Selector(name: value) }
        return Selector(id: try Words.id(value))
    }

    mutating func takeRequiredSelector() throws(Refusal) -> Selector {
        let selector = try takeSelector()
        guard !selector.isEmpty else { throw .usage("which one? got '\(rest)', expected 'id N' or 'name S'") }
        return selector
    }

    /// A command line that is a selector, or empty.
    static func selector(_ words: [String]) throws(Refusal) -> Selector {
        var words = Words(words)
        let selector = try words.takeSelector()
        try words.finish()
        return selector
    }

    /// A command line that is a selector.
    static func requiredSelector(_ words: [String]) throws(Refusal) -> Selector {
        var words = Words(words)
        let selector = try words.takeRequiredSelector()
        try words.finish()
        return selector
    }

    /// Bytes up to the next word of `stops`: decimal, `0x…` or octal, or plain hex digits after the word `hex`.
    mutating func takeBytes(until stops: Set<String>) throws(Refusal) -> [UInt8] {
        let radix: Int? = take("hex") ? 16 : nil
        var bytes: [UInt8] = []
        while let word = words.first, !stops.contains(word) {
            let value = radix.map { UInt64(word, radix: $0) } ?? Words.number(word)
            guard let value, let byte = UInt8(exactly: value) else {
                throw .usage("'\(word)' is no byte (0 to 255)")
            }
            bytes.append(byte)
            words.removeFirst()
        }
        return bytes
    }

    mutating func takeWord() -> String? { words.popFirst() }

    func finish() throws(Refusal) {
        guard words.isEmpty else { throw .usage("unexpected '\(rest)'") }
    }

    private var rest: String { words.joined(separator: " ") }

    static func id(_ text: String) throws(Refusal) -> UInt32 {
        guard let value = number(text), let id = UInt32(exactly: value), id > 0 else {
            throw .usage("'\(text)' is no id")
        }
        return id
    }

    /// As in C: `0x1f`, `017`, `31`.
    static func number(_ text: String) -> UInt64? {
        if text.hasPrefix("0x") || text.hasPrefix("0X") { return UInt64(text.dropFirst(2), radix: 16) }
        if text.hasPrefix("0"), text.count > 1 { return UInt64(text.dropFirst(), radix: 8) }
        return UInt64(text)
    }
}

extension Refusal {
    /// A command line that cannot be carried out as it stands: exit code 2.
    static func usage(_ text: String, suggestion: String? = "see 'opsctl help'") -> Refusal {
        Refusal("usage", errno: 0, text, suggestion: suggestion)
    }
}
