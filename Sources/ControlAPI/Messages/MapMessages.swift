package struct MapRecord: Codable, Equatable, Sendable {
    package var id: UInt32
    package var type: String
    package var name: String
    package var flags: UInt32
    package var bytesKey: Int
    package var bytesValue: Int
    package var maxEntries: Int
    package var bytesMemlock: Int
    package var frozen: Bool
    package var btfID: UInt32?

    package init(
        id: UInt32, type: String, name: String, flags: UInt32, bytesKey: Int, bytesValue: Int,
        maxEntries: Int,
        bytesMemlock: Int, frozen: Bool, btfID: UInt32? = nil
    ) {
        self.id = id
        self.type = type
        self.name = name
        self.flags = flags
        self.bytesKey = bytesKey
        self.bytesValue = bytesValue
        self.maxEntries = maxEntries
        self.bytesMemlock = bytesMemlock
        self.frozen = frozen
        self.btfID = btfID
    }
}

package struct MapsReply: Codable, Sendable {
    package var maps: [MapRecord]
    package init(maps: [MapRecord]) { self.maps = maps }
}

/// Key and value as bytes (`0x0a`), and through BTF where the map has types.
package struct MapEntry: Codable, Equatable, Sendable {
    package var key: [String]
    package var value: [String]
    package var formatted: JSONValue?

    package init(key: [UInt8], value: [UInt8], formatted: JSONValue? = nil) {
        self.key = key.map(MapEntry.hex)
        self.value = value.map(MapEntry.hex)
        self.formatted = formatted
    }

    package static func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "0x0" : "0x") + String(byte, radix: 16)
    }

    /// nil: one of them is no byte.
    package static func bytes(_ hex: [String]) -> [UInt8]? {
        var bytes: [UInt8] = []
        for text in hex {
            guard text.hasPrefix("0x"), let byte = UInt8(text.dropFirst(2), radix: 16) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}

package struct MapEntriesReply: Codable, Sendable {
    package var entries: [MapEntry]
    package init(entries: [MapEntry]) { self.entries = entries }
}

package struct MapEntryReply: Codable, Sendable {
    package var entry: MapEntry
    package init(entry: MapEntry) { self.entry = entry }
}

package struct MapElementParameters: Codable, Sendable {
    package var id: UInt32?
    package var name: String?
    package var key: [String]
    package var value: [String]?
    package var flags: String?

    package init(_ selector: Selector, key: [UInt8], value: [UInt8]? = nil, flags: String? = nil) {
        self.id = selector.id
        self.name = selector.name
        self.key = key.map(MapEntry.hex)
        self.value = value.map { $0.map(MapEntry.hex) }
        self.flags = flags
    }

    package var selector: Selector { Selector(id: id, name: name) }
}

package struct FollowParameters: Codable, Sendable {
    package var id: UInt32?
    package var name: String?
    /// A struct of the object.
    package var type: String?

    package init(_ selector: Selector, type: String? = nil) {
        id = selector.id
        name = selector.name
        self.type = type
    }

    package var selector: Selector { Selector(id: id, name: name) }
}

/// One record of a ring buffer.
package struct RingRecord: Codable, Equatable, Sendable {
    package var timeNs: UInt64
    package var value: [String]
    /// Records before this one that came faster than they were read.
    package var dropped: UInt64
    package var formatted: JSONValue?

    package init(timeNs: UInt64, value: [UInt8], dropped: UInt64, formatted: JSONValue? = nil) {
        self.timeNs = timeNs
        self.value = value.map(MapEntry.hex)
        self.dropped = dropped
        self.formatted = formatted
    }
}

package struct FollowReply: Codable, Sendable {
    package var record: RingRecord
    package init(record: RingRecord) { self.record = record }
}

package struct LinkRecord: Codable, Equatable, Sendable {
    package var id: UInt32
    package var type: String
    package var mapID: UInt32
    package var name: String

    package init(id: UInt32, type: String, mapID: UInt32, name: String) {
        self.id = id
        self.type = type
        self.mapID = mapID
        self.name = name
    }
}

package struct LinksReply: Codable, Sendable {
    package var links: [LinkRecord]
    package init(links: [LinkRecord]) { self.links = links }
}
