/// Why something was refused, as `io.opsd.Refused` carries it and `opsctl` prints it: the errno the kernel would give,
/// where, why, and what would fix it.
package struct Refusal: Error, Equatable, Sendable, Codable {
    package static let wireName = "io.opsd.Refused"

    /// What is known of the place; the rest is nil.
    package struct Place: Equatable, Sendable, Codable {
        package var object: String?
        package var map: String?
        package var member: String?
        package var program: String?
        package var insn: Int?
        package var file: String?
        package var line: Int?

        package init(
            object: String? = nil, map: String? = nil, member: String? = nil, program: String? = nil,
            insn: Int? = nil, file: String? = nil, line: Int? = nil
        ) {
            self.object = object
            self.map = map
            self.member = member
            self.program = program
            self.insn = insn
            self.file = file
            self.line = line
        }
    }

    /// The class of failure: `verifier`, `exists`, `busy`, `not-found`, `usage`, `unreachable` …
    package var code: String
    /// Positive; 0 where no errno fits (a wrong command line).
    package var errno: Int
    package var text: String
    package var `where`: Place?
    package var reason: String?
    package var suggestion: String?

    package init(
        _ code: String, errno: Int, _ text: String, at place: Place? = nil, reason: String? = nil,
        suggestion: String? = nil
    ) {
        self.code = code
        self.errno = errno
        self.text = text
        self.where = place == Place() ? nil : place
        self.reason = reason
        self.suggestion = suggestion
    }

    /// What `opsctl` says of any varlink error, our own or the service's.
    package init(wireError name: String, _ parameters: JSONValue) {
        if name == Refusal.wireName, let refusal: Refusal = try? parameters.decode() {
            self = refusal
            return
        }
        let detail = parameters.object?.first?.value.string
        switch name {
        case "org.varlink.service.InvalidParameter":
            self.init("invalid", errno: 22, "parameter '\(detail ?? "?")' is not valid")
        case "org.varlink.service.MethodNotFound", "org.varlink.service.InterfaceNotFound",
            "org.varlink.service.MethodNotImplemented":
            self.init(
                "unsupported", errno: 95, "the daemon does not know '\(detail ?? "?")'",
                suggestion: "opsctl and opsd may be of different versions: see 'opsctl daemon status'")
        default:
            self.init("protocol", errno: 71, "the daemon answered with '\(name)'")
        }
    }

    /// All members present, absent ones null: the shape that scripts rely on.
    package var json: JSONValue {
        let place = self.where
        return [
            "code": .string(code), "errno": .integer(Int64(errno)), "text": .string(text),
            "where": [
                "object": .optional(place?.object), "map": .optional(place?.map),
                "member": .optional(place?.member), "program": .optional(place?.program),
                "insn": .optional(place?.insn), "file": .optional(place?.file),
                "line": .optional(place?.line),
            ],
            "reason": .optional(reason), "suggestion": .optional(suggestion),
        ]
    }
}

extension JSONValue {
    package static func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    package static func optional(_ number: Int?) -> JSONValue { number.map { .integer(Int64($0)) } ?? .null }
}
