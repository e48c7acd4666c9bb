extension JSONValue {
    /// Any `Encodable` as JSON. Swift's `objectSha256` becomes the wire's `object_sha256`; members keep the order of
    /// declaration; absent optionals are left out.
    package init(encoding value: some Encodable) throws {
        let encoder = JSONValueEncoder(codingPath: [])
        try encoder.encode(value)
        self = encoder.storage.value
    }

    /// `linkID` → `link_id`: an underscore goes before a capital that follows a small letter or digit.
    package static func wireName(_ swiftName: String) -> String {
        var wire: [UInt8] = []
        wire.reserveCapacity(swiftName.utf8.count + 4)
        spell(swiftName) { wire.append($0) }
        return String(decoding: wire, as: UTF8.self)
    }

    /// Whether `name` is `wireName(swiftName)`, which is not made for that.
    static func isWireName(_ name: String, of swiftName: String) -> Bool {
        var rest = name.utf8[...]
        var isSame = true
        spell(swiftName) { isSame = rest.popFirst() == $0 && isSame }
        return isSame && rest.isEmpty
    }

    private static func spell(_ swiftName: String, _ put: (UInt8) -> Void) {
        // Names in Swift are ASCII here; `Character` would look each letter up in Unicode's tables.
        func isCapital(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
        var previous: UInt8?
        for byte in swiftName.utf8 {
            if isCapital(byte), let previous, !isCapital(previous), previous != UInt8(ascii: "_") {
                put(UInt8(ascii: "_"))
            }
            put(isCapital(byte) ? byte | 0x20 : byte)
            previous = byte
        }
    }
}

/// A place for one value that several containers may be filling.
private final class JSONStorage {
    enum Content {
        case value(JSONValue)
        case array([JSONStorage])
        case object([(name: String, storage: JSONStorage)])
    }
    var content = Content.value(.object([]))

    var value: JSONValue {
        switch content {
        case .value(let value): value
        case .array(let elements): .array(elements.map(\.value))
        case .object(let members): .object(members.map { JSONValue.Member($0.name, $0.storage.value) })
        }
    }

    func appendElement() -> JSONStorage {
        let element = JSONStorage()
        if case .array(var elements) = content {
            // So that there is one array, which need not be copied to grow.
            content = .value(.null)
            elements.append(element)
            content = .array(elements)
        } else {
            content = .array([element])
        }
        return element
    }

    func appendMember(_ name: String) -> JSONStorage {
        let member = JSONStorage()
        if case .object(var members) = content {
            content = .value(.null)
            members.append((name, member))
            content = .object(members)
        } else {
            content = .object([(name, member)])
        }
        return member
    }
}

private struct JSONValueEncoder: Encoder {
    var storage = JSONStorage()
    var codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func encode(_ value: some Encodable) throws {
        if let json = value as? JSONValue {
            storage.content = .value(json)
        } else {
            try value.encode(to: self)
        }
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        KeyedEncodingContainer(JSONKeyedEncoding(storage: storage, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        storage.content = .array([])
        return JSONUnkeyedEncoding(storage: storage, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        JSONSingleEncoding(storage: storage, codingPath: codingPath)
    }
}

private struct JSONKeyedEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let storage: JSONStorage
    let codingPath: [any CodingKey]

    private func member(_ key: Key) -> JSONValueEncoder {
        JSONValueEncoder(
            storage: storage.appendMember(JSONValue.wireName(key.stringValue)), codingPath: codingPath + [key]
        )
    }

    func encodeNil(forKey key: Key) throws { member(key).storage.content = .value(.null) }
    func encode(_ value: some Encodable, forKey key: Key) throws { try member(key).encode(value) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy keyType: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        member(key).container(keyedBy: keyType)
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        member(key).unkeyedContainer()
    }
    func superEncoder() -> any Encoder { JSONValueEncoder(storage: storage, codingPath: codingPath) }
    func superEncoder(forKey key: Key) -> any Encoder { member(key) }
}

private struct JSONUnkeyedEncoding: UnkeyedEncodingContainer {
    let storage: JSONStorage
    let codingPath: [any CodingKey]
    private(set) var count = 0

    init(storage: JSONStorage, codingPath: [any CodingKey]) {
        self.storage = storage
        self.codingPath = codingPath
    }

    private mutating func element() -> JSONValueEncoder {
        count += 1
        return JSONValueEncoder(storage: storage.appendElement(), codingPath: codingPath)
    }

    mutating func encodeNil() throws { element().storage.content = .value(.null) }
    mutating func encode(_ value: some Encodable) throws { try element().encode(value) }

    mutating func nestedContainer<Nested: CodingKey>(keyedBy keyType: Nested.Type) -> KeyedEncodingContainer<
        Nested
    > {
        element().container(keyedBy: keyType)
    }
    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { element().unkeyedContainer() }
    mutating func superEncoder() -> any Encoder { element() }
}

private struct JSONSingleEncoding: SingleValueEncodingContainer {
    let storage: JSONStorage
    let codingPath: [any CodingKey]

    private func set(_ value: JSONValue) { storage.content = .value(value) }

    private func set(integer value: some BinaryInteger) throws {
        guard let number = Int64(exactly: value) else {
            throw EncodingError.invalidValue(
                value,
                .init(codingPath: codingPath, debugDescription: "\(value) does not fit a JSON integer here"))
        }
        set(.integer(number))
    }

    func encodeNil() throws { set(.null) }
    func encode(_ value: Bool) throws { set(.bool(value)) }
    func encode(_ value: String) throws { set(.string(value)) }
    func encode(_ value: Double) throws { set(.double(value)) }
    func encode(_ value: Float) throws { set(.double(Double(value))) }
    func encode(_ value: Int) throws { try set(integer: value) }
    func encode(_ value: Int8) throws { try set(integer: value) }
    func encode(_ value: Int16) throws { try set(integer: value) }
    func encode(_ value: Int32) throws { try set(integer: value) }
    func encode(_ value: Int64) throws { try set(integer: value) }
    func encode(_ value: UInt) throws { try set(integer: value) }
    func encode(_ value: UInt8) throws { try set(integer: value) }
    func encode(_ value: UInt16) throws { try set(integer: value) }
    func encode(_ value: UInt32) throws { try set(integer: value) }
    func encode(_ value: UInt64) throws { try set(integer: value) }
    func encode(_ value: some Encodable) throws {
        try JSONValueEncoder(storage: storage, codingPath: codingPath).encode(value)
    }
}

extension JSONValue: Encodable {
    /// Only through `JSONValue(encoding:)`, which takes values of this type as they are.
    package func encode(to encoder: any Encoder) throws {
        throw EncodingError.invalidValue(
            self,
            .init(codingPath: encoder.codingPath, debugDescription: "JSONValue goes through its own encoder"))
    }
}
