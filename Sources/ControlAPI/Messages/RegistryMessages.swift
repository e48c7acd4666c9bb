/// `id N`, `name S`, or neither: everything. Also the parameters of every method that takes nothing else.
package struct Selector: Codable, Equatable, Sendable {
    package var id: UInt32?
    package var name: String?

    package init(id: UInt32? = nil, name: String? = nil) {
        self.id = id
        self.name = name
    }

    package var isEmpty: Bool { id == nil && name == nil }

    /// For messages: `id 7`, `name cubic`.
    package var description: String { id.map { "id \($0)" } ?? name.map { "name \($0)" } ?? "all" }
}

package struct Registration: Codable, Equatable, Sendable {
    package var id: UInt32
    package var name: String
    package var kernelStructOps: String
    package var opsName: String
    package var state: String
    package var refs: Int
    package var linkID: UInt32?
    package var objectSha256: String
    /// The C variable in full, which `name` cuts to 15 bytes.
    package var variable: String?
    /// Why it is FAILED.
    package var reason: String?
    /// It is on trial: what it has replaced comes back if it is ejected.
    package var trial: Trial?

    package struct Trial: Codable, Equatable, Sendable {
        /// Id of what it has replaced.
        package var fallback: UInt32
        package var leftS: Double

        package init(fallback: UInt32, leftS: Double) {
            self.fallback = fallback
            self.leftS = leftS
        }
    }

    package init(
        id: UInt32, name: String, kernelStructOps: String, opsName: String, state: String, refs: Int,
        linkID: UInt32? = nil, objectSha256: String, variable: String? = nil, reason: String? = nil,
        trial: Trial? = nil
    ) {
        self.trial = trial
        self.id = id
        self.name = name
        self.kernelStructOps = kernelStructOps
        self.opsName = opsName
        self.state = state
        self.refs = refs
        self.linkID = linkID
        self.objectSha256 = objectSha256
        self.variable = variable
        self.reason = reason
    }

    /// As INTERFACES fixes it: `link_id` is there even if null.
    package var json: JSONValue {
        var members: [JSONValue.Member] = []
        members.reserveCapacity(11)
        members += [
            .init("id", .integer(Int64(id))), .init("name", .string(name)),
            .init("kernel_struct_ops", .string(kernelStructOps)), .init("ops_name", .string(opsName)),
            .init("state", .string(state)), .init("refs", .integer(Int64(refs))),
            .init("link_id", linkID.map { .integer(Int64($0)) } ?? .null),
            .init("object_sha256", .string(objectSha256)),
        ]
        if let variable { members.append(.init("variable", .string(variable))) }
        if let reason { members.append(.init("reason", .string(reason))) }
        if let trial {
            members.append(
                .init(
                    "trial", ["fallback": .integer(Int64(trial.fallback)), "left_s": .double(trial.leftS)]))
        }
        return .object(members)
    }

    /// The same back; nil if it is none.
    package init?(json: JSONValue) {
        var members = JSONMemberReader(json)
        guard let id: UInt32 = members.integer("id"), let name = members.string("name"),
            let kernelStructOps = members.string("kernel_struct_ops"),
            let opsName = members.string("ops_name"), let state = members.string("state"),
            let refs: Int = members.integer("refs"), let objectSha256 = members.string("object_sha256")
        else { return nil }
        self.init(
            id: id, name: name, kernelStructOps: kernelStructOps, opsName: opsName, state: state, refs: refs,
            linkID: members.integer("link_id"), objectSha256: objectSha256,
            variable: members.string("variable"), reason: members.string("reason"))
        if let json = members["trial"] {
            var members = JSONMemberReader(json)
            guard let fallback: UInt32 = members.integer("fallback"), let left = members.double("left_s")
            else { return nil }
            trial = Trial(fallback: fallback, leftS: left)
        }
        guard members.isSound else { return nil }
    }
}

/// A map that could not be registered with `keep_going`.
package struct RegisterFailure: Codable, Equatable, Sendable {
    package var map: String
    package var error: Refusal

    package init(map: String, error: Refusal) {
        self.map = map
        self.error = error
    }
}

package struct RegisterParameters: Codable, Sendable {
    /// In base64.
    package var object: String
    package var maps: [String]?
    package var keepGoing: Bool?
    package var file: String?
    /// A detached Ed25519 signature over the object's bytes, in base64.
    package var signature: String?
    /// The registrations end with the connection.
    package var transient: Bool?

    package init(
        object: String, maps: [String]? = nil, keepGoing: Bool? = nil, file: String? = nil,
        signature: String? = nil, transient: Bool? = nil
    ) {
        self.transient = transient
        self.object = object
        self.signature = signature
        self.maps = maps
        self.keepGoing = keepGoing
        self.file = file
    }
}

package struct UpdateParameters: Codable, Sendable {
    package var id: UInt32?
    package var name: String?
    package var object: String
    package var map: String?
    package var expect: UInt32?
    package var file: String?
    /// As of `RegisterParameters`.
    package var signature: String?
    /// Seconds in which an ejection brings the old one back.
    package var trialS: Double?

    package init(
        _ selector: Selector, object: String, map: String? = nil, expect: UInt32? = nil, file: String? = nil,
        signature: String? = nil, trialS: Double? = nil
    ) {
        self.signature = signature
        self.trialS = trialS
        self.id = selector.id
        self.name = selector.name
        self.object = object
        self.map = map
        self.expect = expect
        self.file = file
    }

    package var selector: Selector { Selector(id: id, name: name) }
}

/// What List, Register, Unregister and Update answer.
package struct RegistrationsReply: Codable, Sendable {
    package var registrations: [Registration]
    package var failures: [RegisterFailure]?

    package init(_ registrations: [Registration], failures: [RegisterFailure]? = nil) {
        self.registrations = registrations
        self.failures = failures
    }

    package var json: JSONValue {
        let json: JSONValue = ["registrations": .array(registrations.map(\.json))]
        guard let failures, !failures.isEmpty else { return json }
        return json.setting(
            "failures", to: .array(failures.map { ["map": .string($0.map), "error": $0.error.json] }))
    }
}

/// One who holds references to a registration.
package struct RegistrationUser: Codable, Equatable, Sendable {
    /// `registration`, `link`, `fallback`, `simulation` or `other`.
    package var kind: String
    /// Of the link, or of the run.
    package var id: UInt32?
    /// Of the run's scenario.
    package var name: String?
    /// Connections of the simulation that use it now.
    package var flows: Int?
    package var uid: UInt32?
    package var refs: Int

    package init(
        kind: String, id: UInt32? = nil, name: String? = nil, flows: Int? = nil, uid: UInt32? = nil,
        refs: Int = 1
    ) {
        self.kind = kind
        self.id = id
        self.name = name
        self.flows = flows
        self.uid = uid
        self.refs = refs
    }
}

package struct UsersReply: Codable, Sendable {
    package var users: [RegistrationUser]
    package init(users: [RegistrationUser]) { self.users = users }
}

/// Why the subsystem has thrown a registration out, and what it saw then.
package struct EjectionRecord: Codable, Equatable, Sendable {
    package var id: UInt32
    package var name: String
    package var subsystem: String?
    package var objectSha256: String?
    /// Wall clock, in seconds since 1970.
    package var at: Int64
    package var reason: String?
    /// Which budget of the configuration was exceeded, what it was, and what was taken.
    package var budget: String?
    package var limit: Int64?
    package var value: Int64?
    /// Id of what took its place again, since it was on trial.
    package var restored: UInt32?
    /// Calls of its ops before, oldest first.
    package var lastCalls: [Call]?
    /// Socket and data of the programs, as `sim run --at` prints them.
    package var dump: JSONValue?

    package struct Call: Codable, Equatable, Sendable {
        /// Simulated seconds.
        package var tS: Double
        package var flow: String
        package var side: String
        package var op: String
        /// By name.
        package var args: JSONValue
        /// nil: the op returns nothing.
        package var result: Int64?
    }

    /// - Parameters:
    ///   - event: of kind `eject`.
    ///   - at: when it came.
    package init(_ event: HostEvent, id: UInt32, at: Int64) {
        self.id = id
        name = event.name ?? "?"
        subsystem = event.subsystem
        objectSha256 = event.objectSha256
        self.at = at
        reason = event.reason
        budget = event.budget
        limit = event.limit
        value = event.value
        restored = event.restored
        lastCalls = try? event.details?["last_calls"]?.decode()
        dump = event.details?["dump"]
    }
}

package struct EjectionsReply: Codable, Sendable {
    package var ejections: [EjectionRecord]
    package init(ejections: [EjectionRecord]) { self.ejections = ejections }
}

/// How a registration ended.
package struct RegistrationEnd: Codable, Equatable, Sendable {
    package var id: UInt32
    package var name: String
    /// `unregister`, `detach`, `eject` or `failed`.
    package var kind: String
    package var reason: String?

    package init(id: UInt32, name: String, kind: String, reason: String? = nil) {
        self.id = id
        self.name = name
        self.kind = kind
        self.reason = reason
    }

    /// For people.
    package var text: String {
        let what =
            switch kind {
            case "unregister": "unregistered"
            case "detach": "detached"
            case "eject": "ejected"
            default: "failed"
            }
        return "\(name) id \(id) \(what)" + (reason.map { ": \($0)" } ?? "")
    }
}

package struct DumpReply: Codable, Sendable {
    package var dump: [JSONValue]

    package init(dump: [JSONValue]) { self.dump = dump }
}

/// An archive, or a part of one, which may be cut anywhere between two characters.
package struct ArchiveParameters: Codable, Sendable {
    /// Of parts that `opsctl` sends: so small that escaping its quotes keeps the request within its bounds.
    package static let partBytes = 16 << 20

    package var archive: String
    /// More parts come, on the same connection.
    package var continues: Bool?

    package init(archive: String, continues: Bool? = nil) {
        self.archive = archive
        self.continues = continues
    }
}

/// What a look at everything that is kept has found.
package struct RegistryVerification: Codable, Equatable, Sendable {
    /// There is a state directory.
    package var durable: Bool
    package var registrations: Int
    package var objects: Int
    package var problems: [String] = []
    package var foundAtStart: [String] = []
    /// Some of what was found at the start could not be mended.
    package var lost = false
    /// Why changes are refused; nil: they are not.
    package var readOnly: String?

    package init(durable: Bool, registrations: Int, objects: Int) {
        self.durable = durable
        self.registrations = registrations
        self.objects = objects
    }
}
