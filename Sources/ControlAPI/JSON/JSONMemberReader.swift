/// Reads an object member by member, where `Codable` takes too long: what passes between our own processes with each
/// registration. A member that is there and is not what it should be makes the object unsound.
struct JSONMemberReader {
    private let members: [JSONValue.Member]
    private(set) var isSound: Bool

    init(_ json: JSONValue) {
        members = json.object ?? []
        isSound = json.object != nil
    }

    /// nil for null too.
    subscript(name: String) -> JSONValue? {
        let value = members.first { $0.name == name }?.value
        return value == .null ? nil : value
    }

    mutating func string(_ name: String) -> String? { checked(self[name]) { $0.string } }

    mutating func double(_ name: String) -> Double? { checked(self[name]) { $0.double } }

    mutating func integer<Number: FixedWidthInteger>(_ name: String) -> Number? {
        checked(self[name]) { $0.integer.flatMap { Number(exactly: $0) } }
    }

    private mutating func checked<Value>(_ value: JSONValue?, _ read: (JSONValue) -> Value?) -> Value? {
        guard let value else { return nil }
        let result = read(value)
        if result == nil { isSound = false }
        return result
    }
}
