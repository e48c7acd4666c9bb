import ArgumentParser
import ControlAPI

/// Brings a command line into the one order that ArgumentParser takes: verbs in full, global options after them.
///
/// `opsctl -j --socket S prog d x id 3` → `prog dump xlated -j --socket S id 3`
struct ArgumentNormalizer {
    /// A verb with those that may follow it.
    struct Verb {
        var name: String
        var next: [Verb] = []

        /// The verbs below a command, other names included.
        static func all(below command: any ParsableCommand.Type) -> [Verb] {
            command.configuration.subcommands.flatMap { verb in
                ([verb._commandName] + verb.configuration.aliases).map {
                    Verb(name: $0, next: all(below: verb))
                }
            }
        }
    }

    /// The verbs that bpftool has, and opsctl from the start. Scripts shorten them, so a prefix that only one of them has
    /// means that one, whatever else has come to begin like it.
    private static let shortened: Set<String> = [
        "register", "unregister", "update", "show", "list", "dump", "check", "prog", "map", "btf", "link",
        "sim", "daemon", "run", "lookup", "detach", "xlated", "jited", "status",
    ]

    static let verbs = Verb.all(below: Opsctl.self) + [Verb(name: "help")]

    /// Options that take a value of their own; a value may look like anything, `-j` too.
    private static let valued: Set<String> = [
        "--map", "--expect", "--program", "--context", "--btf", "--log-level", "--hex", "--data-in",
        "--repeat", "--object", "--junit", "--signature", "--interval", "--count", "--trial", "--priority",
        "-o",
    ]

    static func normalize(_ arguments: [String]) throws(Refusal) -> [String] {
        var globals: [String] = []
        var rest: [String] = []
        var iterator = arguments.makeIterator()
        while let argument = iterator.next() {
            switch argument {
            case "--":
                rest.append(argument)
                while let literal = iterator.next() { rest.append(literal) }
            case "-j", "--json", "-p", "--pretty", "-jp", "-pj":
                globals.append(
                    contentsOf: argument.hasPrefix("--") ? [argument] : argument.dropFirst().map { "-\($0)" })
            case "--socket":
                globals.append(argument)
                if let value = iterator.next() { globals.append(value) }
            case _ where argument.hasPrefix("--socket="):
                globals.append(argument)
            case _ where valued.contains(argument):
                rest.append(argument)
                if let value = iterator.next() { rest.append(value) }
            default:
                rest.append(argument)
            }
        }
        var path: [String] = []
        var candidates = verbs
        while !candidates.isEmpty, let word = rest.first, !word.hasPrefix("-") {
            guard let verb = try match(word, candidates, after: path) else { break }
            path.append(verb.name)
            candidates = verb.next
            rest.removeFirst()
            if verb.name == "help" {
                // `help prog dump`: what follows are verbs too, and ArgumentParser's own help command finds them.
                return path + (try expand(rest)) + globals
            }
        }
        return path + globals + rest
    }

    private static func expand(_ words: [String]) throws(Refusal) -> [String] {
        var path: [String] = []
        var candidates = verbs
        for word in words {
            guard let verb = try match(word, candidates, after: path) else { return words }
            path.append(verb.name)
            candidates = verb.next
        }
        return path
    }

    private static func match(_ word: String, _ verbs: [Verb], after path: [String]) throws(Refusal) -> Verb?
    {
        if let exact = verbs.first(where: { $0.name == word }) { return exact }
        // A selector (`prog id 3`) or a file is not a misspelt verb; `prog` alone means `prog show`.
        if !path.isEmpty, word == "id" || word == "name" || word.contains(".") || word.contains("/") {
            return nil
        }
        let matches = verbs.filter { $0.name.hasPrefix(word) }
        let first = matches.count == 1 ? matches : matches.filter { shortened.contains($0.name) }
        if first.count == 1 { return first[0] }
        let where_ = path.isEmpty ? "" : " after '\(path.joined(separator: " "))'"
        guard matches.isEmpty else {
            throw Refusal(
                "usage", errno: 0,
                "'\(word)'\(where_) could be \(matches.map(\.name).joined(separator: " or "))",
                suggestion: "write one more letter")
        }
        throw Refusal(
            "usage", errno: 0, "unknown verb '\(word)'\(where_)",
            suggestion: "known here: " + verbs.map(\.name).joined(separator: ", "))
    }
}
