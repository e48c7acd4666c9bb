import ArgumentParser
import ControlAPI

// Who uses a registration, and how it ends.

struct Users: Verb {
    static let configuration = CommandConfiguration(
        abstract: "List who holds references to a registration.")

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.requiredSelector(selector)
        let answer = try answer(.registryUsers, selector)
        let users = try answer.decode(as: UsersReply.self).users
        return Outcome(answer["users"] ?? [], text: users.map(Self.line).joined(separator: "\n"))
    }

    private static func line(_ user: RegistrationUser) -> String {
        let uid = user.uid.map { "  uid \($0)" } ?? ""
        let number = user.id.map { " id \($0)" } ?? ""
        switch user.kind {
        case "simulation":
            return "simulation\(number)\(user.name.map { " '\($0)'" } ?? "")  \(user.flows ?? 0) flows\(uid)"
        case "fallback": return "link\(number), to go back to it after a trial\(uid)"
        case "other": return "\(user.refs) handles or calls under way"
        default: return "\(user.kind)\(number)\(uid)"
        }
    }
}

struct WaitVerb: Verb {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Wait until a registration is not attached any more.",
        discussion: """
            Follows it through updates. Ends with 0 if it was unregistered or its link detached, with 1 and the reason if \
            it was ejected or failed.
            """)

    @OptionGroup var global: GlobalOptions
    @Flag(help: "What to wait for; there is nothing else yet.") var detached = false
    @Argument(help: "id N | name S") var selector: [String] = []

    func perform() throws -> Outcome {
        guard detached else { throw Refusal.usage("wait for what? --detached") }
        let selector = try Words.requiredSelector(selector)
        let answer = try answer(.registryWait, selector)
        guard let end = try answer["end"]?.decode(as: RegistrationEnd.self) else {
            throw Refusal("protocol", errno: 71, "the daemon sent no end")
        }
        return Self.outcome([end])
    }

    /// How registrations ended: a failure if any did not end by somebody's wish.
    static func outcome(_ ends: [RegistrationEnd]) -> Outcome {
        let json = (try? JSONValue(encoding: ends)) ?? []
        let bad = ends.first { $0.kind == "eject" || $0.kind == "failed" }
        return Outcome(
            json, text: ends.filter { $0 != bad }.map(\.text).joined(separator: "\n"),
            failure: bad.map { end in
                Refusal(
                    end.kind, errno: 108, "\(end.name) id \(end.id) is not attached any more",
                    reason: end.text)
            })
    }
}

struct Ejected: Verb {
    static let configuration = CommandConfiguration(
        abstract: "List registrations that were thrown out, and why.",
        discussion: """
            With a selector also the last calls of their ops; with -j or -p everything, and what their world looked like: \
            the socket, and the data of their programs.
            """)

    @OptionGroup var global: GlobalOptions
    @Argument(help: "id N | name S; none: all.") var selector: [String] = []

    func perform() throws -> Outcome {
        let selector = try Words.selector(selector)
        let answer = try answer(.registryEjected, selector)
        let lines = try answer.decode(as: EjectionsReply.self).ejections.flatMap { ejection in
            [Self.line(ejection)]
                + (selector.isEmpty ? [] : (ejection.lastCalls ?? []).map(Self.line))
        }
        return Outcome(answer["ejections"] ?? [], text: lines.joined(separator: "\n"))
    }

    private static func line(_ ejection: EjectionRecord) -> String {
        "\(ejection.id): " + pad(ejection.name, 15) + " \(ejection.reason ?? "no reason given")"
            + (ejection.budget.map { "; \($0)" + (ejection.limit.map { " \($0)" } ?? "") } ?? "")
            + (ejection.restored.map { "; id \($0) is in its place again" } ?? "")
    }

    private static func line(_ call: EjectionRecord.Call) -> String {
        let arguments = (call.args.object ?? []).map { "\($0.name)=\($0.value.integer ?? 0)" }
            .joined(separator: ", ")
        let result = call.result.map { " = \($0)" } ?? ""
        return "\t\(call.tS) s  \(call.flow) \(call.side)  \(call.op)(\(arguments))\(result)"
    }
}

/// `10s`, `500ms`, `2min`, `10`: seconds.
func seconds(_ text: String) throws(Refusal) -> Double {
    let units: [(String, Double)] = [("ms", 0.001), ("min", 60), ("s", 1), ("h", 3600), ("", 1)]
    for (unit, factor) in units where text.hasSuffix(unit) {
        guard let number = Double(text.dropLast(unit.count)), number.isFinite, number > 0 else { continue }
        return number * factor
    }
    throw Refusal.usage("'\(text)' is no duration: 10s, 500ms, 2min")
}
