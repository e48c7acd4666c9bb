/// One change of state, for the journal and for `Monitor`.
package struct HostEvent: Codable, Equatable, Sendable {
    /// INTERFACES, "Journal fields": `load`, `register`, `update` …
    package var event: String
    package var id: UInt32?
    package var name: String?
    package var subsystem: String?
    package var objectSha256: String?
    package var errno: Int?
    package var reason: String?
    package var durationUs: Int64?
    /// Whose key has signed the object.
    package var signer: String?
    /// Of an ejection: id of what took its place again, since it was on trial.
    package var restored: UInt32?
    /// Of an ejection: which budget was exceeded, what it is, and what was taken.
    package var budget: String?
    package var limit: Int64?
    package var value: Int64?
    /// Of an ejection: `{last_calls, dump}`, which the broker takes out for its record.
    package var details: JSONValue?
    /// One sentence for people.
    package var text: String

    package init(
        _ event: String, id: UInt32? = nil, name: String? = nil, subsystem: String? = nil,
        objectSha256: String? = nil, errno: Int? = nil, reason: String? = nil, durationUs: Int64? = nil,
        restored: UInt32? = nil, details: JSONValue? = nil, text: String
    ) {
        budget = details?["budget"]?.string
        limit = details?["limit"]?.integer
        value = details?["value"]?.integer
        self.details = details
        self.restored = restored
        self.event = event
        self.id = id
        self.name = name
        self.subsystem = subsystem
        self.objectSha256 = objectSha256
        self.errno = errno
        self.reason = reason
        self.durationUs = durationUs
        self.text = text
    }

    /// As it is encoded; by hand, for each registration makes some.
    package var json: JSONValue {
        var members: [JSONValue.Member] = []
        members.reserveCapacity(15)
        func add(_ name: String, _ value: JSONValue?) {
            if let value { members.append(JSONValue.Member(name, value)) }
        }
        add("event", .string(event))
        add("id", id.map { .integer(Int64($0)) })
        add("name", name.map { .string($0) })
        add("subsystem", subsystem.map { .string($0) })
        add("object_sha256", objectSha256.map { .string($0) })
        add("errno", errno.map { .integer(Int64($0)) })
        add("reason", reason.map { .string($0) })
        add("duration_us", durationUs.map { .integer($0) })
        add("signer", signer.map { .string($0) })
        add("restored", restored.map { .integer(Int64($0)) })
        add("budget", budget.map { .string($0) })
        add("limit", limit.map { .integer($0) })
        add("value", value.map { .integer($0) })
        add("details", details)
        add("text", .string(text))
        return .object(members)
    }

    /// The same back; nil if it is none.
    package init?(json: JSONValue) {
        var members = JSONMemberReader(json)
        guard let event = members.string("event"), let text = members.string("text") else { return nil }
        self.event = event
        self.text = text
        id = members.integer("id")
        name = members.string("name")
        subsystem = members.string("subsystem")
        objectSha256 = members.string("object_sha256")
        errno = members.integer("errno")
        reason = members.string("reason")
        durationUs = members.integer("duration_us")
        signer = members.string("signer")
        restored = members.integer("restored")
        budget = members.string("budget")
        limit = members.integer("limit")
        value = members.integer("value")
        details = members["details"]
        guard members.isSound else { return nil }
    }
}
