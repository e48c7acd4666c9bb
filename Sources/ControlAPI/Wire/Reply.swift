/// An answer as varlink frames it.
package struct Reply: Equatable, Sendable {
    /// nil: success.
    package var error: String?
    package var parameters: JSONValue
    /// More replies to the same call follow.
    package var continues: Bool
    /// The whole reply as it goes over the socket, without its NUL, where it came so and nobody had to look inside;
    /// `parameters` are empty then.
    package private(set) var text: [UInt8]?

    package init(text: [UInt8]) {
        parameters = [:]
        continues = false
        self.text = text
    }

    package init(_ parameters: JSONValue = [:], continues: Bool = false) {
        self.parameters = parameters
        self.continues = continues
    }

    package init(error: String, _ parameters: JSONValue) {
        self.error = error
        self.parameters = parameters
        self.continues = false
    }

    package init(_ refusal: Refusal) {
        self.init(error: Refusal.wireName, refusal.json)
    }

    package init(_ error: ServiceError) {
        self.init(error: error.wireName, error.parameters)
    }

    package init(frame: [UInt8], limits: JSONLimits = .reply) throws(JSONError) {
        self.init(json: try JSONValue(parsing: frame, limits: limits))
    }

    package init(json: JSONValue) {
        error = json["error"]?.string
        parameters = json["parameters"] ?? [:]
        continues = json["continues"]?.bool ?? false
    }

    /// What a text says; the reply itself, if it is none.
    package func parsed() -> Reply { text.flatMap { try? Reply(frame: $0) } ?? self }

    /// As one frame, its NUL included.
    package var frame: [UInt8] { text.map { $0 + [0] } ?? json.frame }

    /// - Precondition: it is no text.
    package var json: JSONValue {
        guard let error else {
            let json: JSONValue = ["parameters": parameters]
            return continues ? json.setting("continues", to: true) : json
        }
        return ["error": .string(error), "parameters": parameters]
    }

    /// The parameters, or what the error says.
    package func result() throws(Refusal) -> JSONValue {
        guard let error else { return parameters }
        throw Refusal(wireError: error, parameters)
    }
}

/// The errors of `org.varlink.service`, which every varlink client knows.
package enum ServiceError: Error, Equatable, Sendable {
    case interfaceNotFound(String)
    case methodNotFound(String)
    case methodNotImplemented(String)
    case invalidParameter(String)
    /// The method streams: it must be called with `more`.
    case expectedMore

    package var wireName: String {
        switch self {
        case .interfaceNotFound: "org.varlink.service.InterfaceNotFound"
        case .methodNotFound: "org.varlink.service.MethodNotFound"
        case .methodNotImplemented: "org.varlink.service.MethodNotImplemented"
        case .invalidParameter: "org.varlink.service.InvalidParameter"
        case .expectedMore: "org.varlink.service.ExpectedMore"
        }
    }

    package var parameters: JSONValue {
        switch self {
        case .interfaceNotFound(let name): ["interface": .string(name)]
        case .methodNotFound(let name), .methodNotImplemented(let name): ["method": .string(name)]
        case .invalidParameter(let name): ["parameter": .string(name)]
        case .expectedMore: [:]
        }
    }
}
