import ArgumentParser
import ControlAPI

struct MapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map", abstract: "Look at maps of loaded objects.",
        subcommands: [MapShow.self, MapDump.self, MapLookup.self, MapUpdate.self, MapFollow.self],
        defaultSubcommand: MapShow.self)
}

struct MapShow: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "List maps.", aliases: ["list"])

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S; none: all.") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.selector(selector)
        let answer = try answer(.mapList, selector)
        let reply = try answer.decode(as: MapsReply.self)
        return Outcome(answer["maps"] ?? [], text: reply.maps.map(Self.lines).joined(separator: "\n"))
    }

    static func lines(_ map: MapRecord) -> String {
        var lines = "\(map.id): \(map.type)  name \(map.name)  flags 0x\(String(map.flags, radix: 16))"
        lines += "\n\tkey \(map.bytesKey)B  value \(map.bytesValue)B  max_entries \(map.maxEntries)"
        lines += "  memlock \(map.bytesMemlock)B" + (map.frozen ? "  frozen" : "")
        if let btf = map.btfID { lines += "\n\tbtf_id \(btf)" }
        return lines
    }
}

struct MapDump: Verb {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Print all elements of a map.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.requiredSelector(selector)
        let answer = try answer(.mapDump, selector)
        let entries = try answer.decode(as: MapEntriesReply.self).entries
        let found = entries.count == 1 ? "Found 1 element" : "Found \(entries.count) elements"
        return Outcome(
            answer["entries"] ?? [], text: (entries.map(describe) + [found]).joined(separator: "\n"))
    }
}

struct MapLookup: Verb {
    static let configuration = CommandConfiguration(
        commandName: "lookup", abstract: "Print one element.",
        discussion: "Bytes are decimal, 0x… or octal; after 'hex' plain hex digits.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S, key [hex] BYTE… (queue, stack: no key, the next value)") var words:
        [String] = []

    func perform() throws -> Outcome {
        var words = Words(words)
        let selector = try words.takeRequiredSelector()
        // A queue or stack has no keys.
        let key = words.take("key") ? try words.takeBytes(until: []) : []
        try words.finish()
        let answer = try answer(.mapLookup, MapElementParameters(selector, key: key))
        return Outcome(
            answer["entry"] ?? .null, text: describe(try answer.decode(as: MapEntryReply.self).entry))
    }
}

struct MapUpdate: Verb {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Set one element, as new instances will find it.")

    @OptionGroup var global: GlobalOptions
    @Argument(
        help:
            "id N | name S, key [hex] BYTE… value [hex] BYTE… [any | exist | noexist] (queue, stack: no key)")
    var words: [String] = []

    func perform() throws -> Outcome {
        var words = Words(words)
        let flagNames: Set<String> = ["any", "exist", "noexist"]
        let selector = try words.takeRequiredSelector()
        let key = words.take("key") ? try words.takeBytes(until: ["value"]) : []
        guard words.take("value") else { throw Refusal.usage("map update needs 'value' and its bytes") }
        let value = try words.takeBytes(until: flagNames)
        let flags = words.takeWord()
        try words.finish()
        _ = try answer(.mapUpdate, MapElementParameters(selector, key: key, value: value, flags: flags))
        return Outcome()
    }
}

struct MapFollow: Verb {
    static let configuration = CommandConfiguration(
        commandName: "follow", abstract: "Print the records that programs submit to a ring buffer.",
        discussion: """
            Records of all simulations, from now on, until interrupted; with -j or -p one JSON document for each.
            With 'type S' they are read as that struct of the object.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S [type S]") var words: [String] = []

    func perform() throws -> Outcome {
        var words = Words(words)
        let selector = try words.takeRequiredSelector()
        let type = words.take("type") ? words.takeWord() : nil
        try words.finish()
        let printer = Printer(format: global.format)
        _ = try answer(.mapFollow, FollowParameters(selector, type: type), more: true) { reply in
            guard let json = reply["record"], let record = try? json.decode(as: RingRecord.self) else {
                return
            }
            printer.print(json, text: Self.line(record))
        }
        return Outcome()
    }

    static func line(_ record: RingRecord) -> String {
        let seconds = "\(record.timeNs / 1_000_000_000)"
        let fraction = String(record.timeNs % 1_000_000_000 + 1_000_000_000).dropFirst()
        let dropped = record.dropped == 0 ? "" : "(\(record.dropped) records dropped)\n"
        let value = record.formatted.map { $0.text(indented: false) } ?? bytes(record.value)
        return "\(dropped)\(seconds).\(fraction)  \(value)"
    }
}

private func describe(_ entry: MapEntry) -> String {
    if let formatted = entry.formatted { return formatted.text(indented: true) }
    let value = "value: \(bytes(entry.value))"
    return entry.key.isEmpty ? value : "key: \(bytes(entry.key))  \(value)"
}

private func bytes(_ hex: [String]) -> String {
    hex.map { String($0.dropFirst(2)) }.joined(separator: " ")
}
