/// What the broker asks of the runtime process, over their socketpair, in the same frames as on the public socket.
///
/// Many are under way at once; `serial` pairs them with their answers.
package struct RuntimeRequest: Equatable, Sendable {
    /// Chosen by the broker, unique for the life of one runtime process.
    package var serial: Int64
    /// A method of `Method`, or one of `RuntimeVerb`.
    package var method: String
    package var parameters: JSONValue
    /// Who asks, and so who pays.
    package var uid: UInt32
    /// The object that goes with the request, in memory that both sides share; the parameters' own is empty then.
    package var object: Object?
    /// Only what belongs to `uid` may be looked at.
    package var isOwnerOnly: Bool

    /// Where it lies there.
    package struct Object: Equatable, Sendable {
        package var byteCount: Int
        package var pane: Int

        package init(byteCount: Int, pane: Int) {
            self.byteCount = byteCount
            self.pane = pane
        }
    }

    package init(
        serial: Int64, method: String, parameters: JSONValue = [:], uid: UInt32 = 0,
        object: Object? = nil, isOwnerOnly: Bool = false
    ) {
        self.serial = serial
        self.method = method
        self.parameters = parameters
        self.uid = uid
        self.object = object
        self.isOwnerOnly = isOwnerOnly
    }

    package var json: JSONValue {
        var json: JSONValue = [
            "serial": .integer(serial), "method": .string(method), "parameters": parameters,
            "uid": .integer(Int64(uid)),
        ]
        if isOwnerOnly { json = json.setting("owner_only", to: true) }
        guard let object else { return json }
        return json.setting("object_bytes", to: .integer(Int64(object.byteCount)))
            .setting("object_pane", to: .integer(Int64(object.pane)))
    }

    /// nil: not one of ours; the peer is broken, and the connection of no more use.
    package init?(frame: [UInt8]) {
        guard let json = try? JSONValue(parsing: frame, limits: .request),
            let serial = json["serial"]?.integer,
            let method = json["method"]?.string, let parameters = json["parameters"]
        else { return nil }
        self.init(
            serial: serial, method: method, parameters: parameters,
            uid: UInt32(clamping: json["uid"]?.integer ?? 0),
            object: json["object_bytes"]?.integer.map {
                Object(byteCount: Int($0), pane: Int(json["object_pane"]?.integer ?? 0))
            },
            isOwnerOnly: json["owner_only"]?.bool ?? false)
    }
}

/// What only the broker says, and only to the runtime.
package enum RuntimeVerb: String, Sendable {
    /// `{}` → `{busy_s, stalled_s, run, run_s, ops}`: how long the control thread has been at its present request, by its CPU
    /// time and by the clock; the serial of the simulation whose present step has taken the most CPU time, and how much;
    /// `OpRecord`s of all ops, without histograms.
    case ping = "opsd.Ping"
    /// `RuntimeSettings` → `{}`
    case configure = "opsd.Configure"
    /// `RestoreParameters` → `RestoreReply`
    case restore = "opsd.Restore"
    /// `{}` → `{}`: all that is to be restored has been.
    case restored = "opsd.Restored"
    /// `{serial}` → `{}`: a request that nobody waits for any more.
    case cancel = "opsd.Cancel"
}

/// What the runtime sends: an answer, or news.
package enum RuntimeMessage: Equatable, Sendable {
    /// `added` and `removed`: what the request has changed in the registry.
    case answer(serial: Int64, Reply, added: [Registration], removed: [UInt32])
    /// An answer of which the broker need know nothing but whose it is: it passes the text on. A list of ten thousand
    /// registrations would hold up its loop for a tenth of a second.
    case text(serial: Int64, [UInt8])
    /// `serial`: the request that brought it about.
    case event(HostEvent, serial: Int64?)

    /// With its NUL. JSON, but for `text`: the serial in decimal digits, a space, the reply.
    package var frame: [UInt8] {
        switch self {
        case .text(let serial, let reply): return Array("\(serial) ".utf8) + reply + [0]
        case .event(let event, let serial):
            let json: JSONValue = ["event": event.json]
            return (serial.map { json.setting("serial", to: .integer($0)) } ?? json).frame
        case .answer(let serial, let reply, let added, let removed):
            var json: JSONValue = ["serial": .integer(serial), "reply": reply.json]
            if !added.isEmpty { json = json.setting("added", to: .array(added.map(\.json))) }
            if !removed.isEmpty {
                json = json.setting("removed", to: .array(removed.map { .integer(Int64($0)) }))
            }
            return json.frame
        }
    }

    package init?(frame: [UInt8]) {
        if let first = frame.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) {
            guard let space = frame.firstIndex(of: UInt8(ascii: " ")),
                let serial = Int64(String(decoding: frame[..<space], as: UTF8.self))
            else { return nil }
            self = .text(serial: serial, Array(frame[(space + 1)...]))
            return
        }
        guard let json = try? JSONValue(parsing: frame, limits: .reply) else { return nil }
        if let event = json["event"] {
            guard let event = HostEvent(json: event) else { return nil }
            self = .event(event, serial: json["serial"]?.integer)
            return
        }
        guard let serial = json["serial"]?.integer, let reply = json["reply"] else { return nil }
        let given = (json["added"] ?? []).array?.map { Registration(json: $0) }
        let taken = (json["removed"] ?? []).array?.map { $0.integer.flatMap { UInt32(exactly: $0) } }
        guard let given, let taken else { return nil }
        let added = given.compactMap(\.self), removed = taken.compactMap(\.self)
        guard added.count == given.count, removed.count == taken.count else { return nil }
        self = .answer(serial: serial, Reply(json: reply), added: added, removed: removed)
    }
}

/// Registrations of one object, to be made again under their ids.
package struct RestoreParameters: Codable, Sendable {
    package struct Item: Codable, Sendable {
        package var id: UInt32
        package var variable: String
        package var linkID: UInt32?

        package init(id: UInt32, variable: String, linkID: UInt32? = nil) {
            self.id = id
            self.variable = variable
            self.linkID = linkID
        }
    }
    /// In base64; empty if it lies in the memory that both sides share.
    package var object: String
    package var file: String?
    /// Who registered it, and so pays.
    package var uid: UInt32
    package var items: [Item]
    /// The one item replaces another registration, on trial.
    package var trial: Trial?

    package struct Trial: Codable, Sendable {
        package var replaces: UInt32
        package var leftS: Double

        package init(replaces: UInt32, leftS: Double) {
            self.replaces = replaces
            self.leftS = leftS
        }
    }

    package init(object: String = "", file: String?, uid: UInt32, items: [Item]) {
        self.object = object
        self.file = file
        self.uid = uid
        self.items = items
    }
}

package struct RestoreReply: Codable, Sendable {
    package struct Failure: Codable, Sendable {
        package var id: UInt32
        package var error: Refusal

        package init(id: UInt32, error: Refusal) {
            self.id = id
            self.error = error
        }
    }
    package var restored: [Registration]
    package var failures: [Failure]

    package init(restored: [Registration], failures: [Failure]) {
        self.restored = restored
        self.failures = failures
    }
}
