import ArgumentParser
import ControlAPI
import OpsHost

struct BTFCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "btf", abstract: "Print the types that programs are compiled against, without a daemon.",
        subcommands: [BTFDump.self], defaultSubcommand: BTFDump.self)
}

struct BTFDump: Verb {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Print all types.",
        discussion:
            "'format c' is a header to compile against, like vmlinux.h; 'format raw' lists the records.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "format c | format raw (the default)") var words: [String] = []

    func perform() throws -> Outcome {
        var words = Words(words)
        var isC = false
        if words.take("format") {
            switch words.takeWord() {
            case "c": isC = true
            case "raw": break
            case let other: throw Refusal.usage("'format' is c or raw, got '\(other ?? "nothing")'")
            }
        }
        try words.finish()
        let host = try RuntimeHost()
        if isC {
            let text = try host.btfAsC()
            return Outcome(.string(text), text: text)
        }
        return global.format == .text
            ? Outcome(text: try host.btfAsRawText()) : Outcome(["types": .array(try host.btfAsRawJSON())])
    }
}

struct LinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link", abstract: "Look at links, or detach one.",
        subcommands: [LinkShow.self, LinkDetach.self],
        defaultSubcommand: LinkShow.self)
}

struct LinkShow: Verb {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "List links.", aliases: ["list"])

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N; none: all.") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.selector(selector)
        guard selector.name == nil else { throw Refusal.usage("links have no names: 'id N'") }
        let answer = try answer(.linkList, selector)
        let links = try answer.decode(as: LinksReply.self).links
        return Outcome(
            answer["links"] ?? [],
            text: links.map { "\($0.id): \($0.type)  map \($0.mapID)  \($0.name)" }.joined(separator: "\n"))
    }
}

struct LinkDetach: Verb {
    static let configuration = CommandConfiguration(commandName: "detach", abstract: "Detach a link.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.requiredSelector(selector)
        guard selector.name == nil else { throw Refusal.usage("links have no names: 'id N'") }
        _ = try answer(.linkDetach, selector)
        return Outcome()
    }
}

struct Daemon: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask the daemon about itself.", subcommands: [DaemonStatusCommand.self],
        defaultSubcommand: DaemonStatusCommand.self)
}

struct DaemonStatusCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Version, processes, uptime and counts.")

    @OptionGroup var global: GlobalOptions

    func perform() throws -> Outcome {
        let answer = try answer(.daemonStatus, NoParameters())
        let status = try answer.decode(as: DaemonStatus.self)
        let runtime = status.runtimePID.map { "pid \($0)" } ?? "restarting"
        return Outcome(
            answer,
            text: """
                opsd \(status.version)  pid \(status.pid)  up \(status.uptimeS) s
                runtime: \(runtime), restarted \(status.restarts) times
                registrations: \(status.registrations), \(status.quarantined) quarantined, \
                \(status.durable ? "kept in the state directory" : "not kept over a restart")
                simulations running: \(status.simulations)
                connections: \(status.connections)
                """)
    }
}
