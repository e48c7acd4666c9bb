import ControlAPI
import Foundation

/// What there was to see where a run was stopped, for people: what is 0 is left out.
struct DumpReport {
    private let dump: JSONValue

    init(_ dump: JSONValue) {
        self.dump = dump
    }

    var text: String {
        let sockets = (dump["sockets"]?.array ?? []).map(describe(socket:))
        let maps = (dump["maps"]?.array ?? []).map(describe(map:))
        return ([title] + sockets + maps).joined(separator: "\n\n")
    }

    private var title: String {
        var time = 0.0
        if case .double(let seconds)? = dump["t_s"] { time = seconds }
        let text = String(format: "%.9f s", time)
        guard let call = dump["call"], let op = call["op"]?.string else { return text }
        let arguments = members(of: call["args"]).map { "\($0.name) \($0.value)" }
        return
            "\(text): flow \(call["flow"]?.string ?? ""), before \(op)(\(arguments.joined(separator: ", ")))"
    }

    private func describe(socket: JSONValue) -> String {
        let title = ["flow", "side", "cc"].compactMap { socket[$0]?.string }.joined(separator: ", ")
        let fields = members(of: socket["tcp_sock"]).filter { $0.value != "0" }
        return (["tcp_sock of \(title)"] + fields.map { "  \($0.name) \($0.value)" }).joined(separator: "\n")
    }

    private func describe(map: JSONValue) -> String {
        let name = "map \(map["name"]?.string ?? "")"
        if let problem = map["problem"]?.string { return "\(name): \(problem)" }
        let elements = (map["elements"]?.array ?? []).map { element in
            "  \(text(element["key"])): \(text(element["value"]))"
        }
        return ([name] + elements).joined(separator: "\n")
    }

    private func members(of object: JSONValue?) -> [(name: String, value: String)] {
        guard case .object(let members)? = object else { return [] }
        return members.map { ($0.name, text($0.value)) }
    }

    private func text(_ value: JSONValue?) -> String {
        String(decoding: (value ?? .null).utf8(indented: false), as: UTF8.self)
    }
}
