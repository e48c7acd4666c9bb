/// A request as varlink frames it.
package struct Call: Equatable, Sendable {
    /// `io.opsd.Registry.List`: interface and method.
    package var method: String
    package var parameters: JSONValue
    /// The caller takes any number of replies.
    package var more: Bool
    /// The caller takes no reply.
    package var oneway: Bool

    package init(_ method: String, _ parameters: JSONValue = [:], more: Bool = false, oneway: Bool = false) {
        self.method = method
        self.parameters = parameters
        self.more = more
        self.oneway = oneway
    }

    /// Everything before the last dot.
    package var interface: String {
        method.lastIndex(of: ".").map { String(method[..<$0]) } ?? ""
    }

    package init(frame: [UInt8], limits: JSONLimits = .request) throws(CallError) {
        let json: JSONValue
        do { json = try JSONValue(parsing: frame, limits: limits) } catch { throw .notJSON(error) }
        try self.init(json: json)
    }

    /// A shorter text is not worth the trouble.
    package static let objectByteCountMin = 4096

    /// The same, but the text of a large `object` among the parameters stays in `frame`: the parameter is empty here.
    ///
    /// - Parameter objectByteCountMin: what is large.
    /// - Returns: where it lies; see `JSONValue.parse`.
    package static func parse(
        frame: [UInt8], objectByteCountMin: Int = Call.objectByteCountMin, limits: JSONLimits = .request
    ) throws(CallError) -> (call: Call, object: Range<Int>?) {
        let json: JSONValue
        let text: Range<Int>?
        do {
            (json, text) = try JSONValue.parse(
                frame, leaving: "object", of: "parameters", byteCountMin: objectByteCountMin, limits: limits)
        } catch { throw .notJSON(error) }
        return (try Call(json: json), text)
    }

    private init(json: JSONValue) throws(CallError) {
        guard json.object != nil else { throw .notAnObject(got: json.kind) }
        guard let method = json["method"]?.string else { throw .noMethod }
        self.method = method
        switch json["parameters"] {
        case nil, .null: parameters = [:]
        case .object(let members): parameters = .object(members)
        case let other?: throw .badMember("parameters", got: other.kind, expected: "an object")
        }
        more = try Call.flag("more", in: json)
        oneway = try Call.flag("oneway", in: json)
        if try Call.flag("upgrade", in: json) { throw .upgrade }
    }

    private static func flag(_ name: String, in json: JSONValue) throws(CallError) -> Bool {
        switch json[name] {
        case nil, .null: return false
        case .bool(let flag): return flag
        case let other?: throw .badMember(name, got: other.kind, expected: "a boolean")
        }
    }

    package var json: JSONValue {
        var json: JSONValue = ["method": .string(method), "parameters": parameters]
        if more { json = json.setting("more", to: true) }
        if oneway { json = json.setting("oneway", to: true) }
        return json
    }
}

/// Why bytes are no call. The connection is closed after such a frame: nobody knows what the peer meant.
package enum CallError: Error, Equatable, Sendable {
    case notJSON(JSONError)
    case notAnObject(got: String)
    case noMethod
    case badMember(String, got: String, expected: String)
    case upgrade
}

extension CallError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notJSON(let error): "the request is not JSON: \(error)"
        case .notAnObject(let got): "the request is \(got), expected an object"
        case .noMethod: "the request has no 'method'"
        case .badMember(let name, let got, let expected):
            "'\(name)' of the request is \(got), expected \(expected)"
        case .upgrade: "'upgrade' is not supported: this service speaks varlink only"
        }
    }
}
