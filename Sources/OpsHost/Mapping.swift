package import ControlAPI
package import OpsCore

/// Runs a step of the runtime and turns its error into what goes over the wire.
@discardableResult
package func refusing<Result>(_ body: () throws(OpsError) -> Result) throws(Refusal) -> Result {
    do { return try body() } catch { throw Refusal(error) }
}

extension Refusal {
    package init(_ error: OpsError) {
        self.init(
            error.code, errno: Int(error.errno), error.text,
            at: Place(
                object: error.location.object, map: error.location.map, member: error.location.member,
                program: error.location.program, insn: error.location.insn, file: error.location.file,
                line: error.location.line),
            reason: error.reason, suggestion: error.suggestion)
    }

    /// Parameters that are not what the method takes.
    init(parameters error: any Error) {
        let text =
            switch error {
            case DecodingError.keyNotFound(_, let context), DecodingError.typeMismatch(_, let context),
                DecodingError.valueNotFound(_, let context), DecodingError.dataCorrupted(let context):
                (context.codingPath.map { JSONValue.wireName($0.stringValue) } + [context.debugDescription])
                    .joined(separator: ": ")
            default: "\(error)"
            }
        self.init("invalid", errno: 22, "the parameters are not valid", reason: text)
    }
}

extension HostEvent {
    /// nil for what is not worth a record: the handle on an object was dropped.
    init?(_ event: OpsEvent) {
        let name = event.name ?? "?"
        let what = [event.type, name].compactMap { $0 }.joined(separator: " ")
        let number = event.id.map { " id \($0)" } ?? ""
        let kind: String
        let text: String
        switch event.kind {
        case .unload: return nil
        case .load: (kind, text) = ("load", "loaded '\(name)'")
        case .register: (kind, text) = ("register", "registered \(what)\(number)")
        case .update: (kind, text) = ("update", "updated to \(what)\(number)")
        case .unregister: (kind, text) = ("unregister", "unregistered \(what)\(number)")
        case .eject:
            (kind, text) = ("eject", "ejected \(what)\(number): \(event.reason ?? "no reason given")")
        case .rollback:
            (kind, text) = (
                "rollback", "put back \(what)\(number), which the ejected one had replaced on trial"
            )
        case .refuse: (kind, text) = ("refuse", "refused '\(name)': \(event.error?.text ?? "")")
        case .typeRefused:
            (kind, text) = ("refuse", "refused a type of subsystem '\(name)': \(event.error?.text ?? "")")
        }
        self.init(
            kind, id: event.id, name: event.name, subsystem: event.type, objectSha256: event.objectSHA256,
            errno: event.error.map { Int($0.errno) }, reason: event.reason ?? event.error?.reason,
            restored: event.restored,
            details: event.details.flatMap { try? JSONValue(parsing: Array($0.utf8), limits: .reply) },
            text: text)
    }
}

extension ControlAPI.RegistrationUser {
    init(_ user: OpsCore.RegistrationUser) {
        switch user.kind {
        case .registration: self.init(kind: "registration", uid: user.uid)
        case .link(let id): self.init(kind: "link", id: id, uid: user.uid)
        case .fallback(let link): self.init(kind: "fallback", id: link, uid: user.uid)
        case .world(let label, let flows):
            self.init(kind: "simulation", id: label?.id, name: label?.name, flows: flows, uid: user.uid)
        case .other(let references): self.init(kind: "other", uid: user.uid, refs: references)
        }
    }
}

extension JSONValue {
    /// As bpftool prints it; pointers are strings, for they exceed 2^53.
    init(_ value: DumpValue) {
        switch value {
        case .int(let number): self = .integer(number)
        case .uint(let number): self = Int64(exactly: number).map { .integer($0) } ?? .hex(number)
        case .bool(let flag): self = .bool(flag)
        case .string(let text): self = .string(text)
        case .pointer(let address): self = .hex(address)
        case .array(let elements): self = .array(elements.map { JSONValue($0) })
        case .structure(let fields): self = .object(fields.map { Member($0.name, JSONValue($0.value)) })
        }
    }

    static func hex(_ number: UInt64) -> JSONValue { .string("0x" + String(number, radix: 16)) }
}

extension Selector {
    var registration: RegistrationSelector? { id.map { .id($0) } ?? name.map { .name($0) } }

    func required() throws(Refusal) -> RegistrationSelector {
        guard let registration else {
            throw Refusal("invalid", errno: 22, "neither 'id' nor 'name' is given")
        }
        return registration
    }

    func matches(id: UInt32, name: String) -> Bool {
        if let wanted = self.id { return wanted == id }
        if let wanted = self.name { return wanted == name }
        return true
    }

    /// All of `items` if nothing is selected, else those that match.
    func pick<Item>(_ items: [Item], _ what: String, _ key: (Item) -> (UInt32, String)) throws(Refusal)
        -> [Item]
    {
        let found = items.filter { item in
            let (id, name) = key(item)
            return matches(id: id, name: name)
        }
        guard !found.isEmpty || isEmpty else {
            throw Refusal("not-found", errno: 2, "there is no \(what) with \(description)")
        }
        return found
    }

    /// The one item that is meant.
    func pickOne<Item>(_ items: [Item], _ what: String, _ key: (Item) -> (UInt32, String)) throws(Refusal)
        -> Item
    {
        guard !isEmpty else { throw Refusal("invalid", errno: 22, "neither 'id' nor 'name' is given") }
        let found = try pick(items, what, key)
        guard found.count == 1, let first = found.first else {
            let ids = found.map { String(key($0).0) }.joined(separator: ", ")
            throw Refusal(
                "ambiguous", errno: 22, "\(description) matches \(found.count) \(what)s",
                reason: "their ids are \(ids)",
                suggestion: "say which one by 'id N'")
        }
        return first
    }
}
