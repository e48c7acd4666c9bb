package import ControlAPI
import Foundation

/// A registry in one file: lines of JSON, equal bytes for equal registries.
///
/// ```
/// {"opsd_registry": 1, "last_id", "last_link_id", "objects", "registrations"}     the last two: how many follow
/// {"object": {"sha256", "base64"}}                                                by hash
/// {"registration": {id, name, …}}                                                 by id
/// {"sha256"}                                                                      of all bytes before this line
/// ```
package struct RegistryArchive: Sendable {
    package var entries: [RegistryEntry] = []
    /// By hash; of each entry's object.
    package var objects: [String: [UInt8]] = [:]
    package var lastID: UInt32 = 0
    package var lastLinkID: UInt32 = 0

    static let version: Int64 = 1

    /// - Parameter object: reads an object by its hash.
    static func write(
        _ book: RegistryBook, _ object: (String) throws(Refusal) -> [UInt8]
    ) throws(Refusal) -> [UInt8] {
        var bytes: [UInt8] = []
        func add(_ line: JSONValue) { bytes += line.utf8() + [UInt8(ascii: "\n")] }
        let hashes = book.objects.sorted()
        add([
            "opsd_registry": .integer(version), "last_id": .integer(Int64(book.lastID)),
            "last_link_id": .integer(Int64(book.lastLinkID)), "objects": .integer(Int64(hashes.count)),
            "registrations": .integer(Int64(book.count)),
        ])
        for sha256 in hashes {
            let base64 = Data(try object(sha256)).base64EncodedString()
            add(["object": ["sha256": .string(sha256), "base64": .string(base64)]])
        }
        for entry in book.sorted { add(["registration": entry.json]) }
        add(["sha256": .string(ObjectHash.of(bytes))])
        return bytes
    }

    /// - Throws: EINVAL, with the line, for what `write` has not written.
    package init(parsing text: String) throws(Refusal) {
        let bytes = Array(text.utf8)
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        guard lines.count >= 2, let last = lines.last else { throw Self.bad("it has \(lines.count) lines") }
        let end = try Self.parse(last, line: lines.count)
        guard end["sha256"]?.string == ObjectHash.of(Array(bytes[..<last.startIndex])) else {
            throw Self.bad("its last line is not the hash of what comes before: it is cut or was changed")
        }
        let head = try Self.parse(lines[0], line: 1)
        guard head["opsd_registry"] == .integer(Self.version) else {
            throw Self.bad("line 1 does not say 'opsd_registry: \(Self.version)'")
        }
        lastID = UInt32(clamping: head["last_id"]?.integer ?? 0)
        lastLinkID = UInt32(clamping: head["last_link_id"]?.integer ?? 0)
        for (index, line) in lines.enumerated().dropFirst().dropLast() {
            try add(try Self.parse(line, line: index + 1), line: index + 1)
        }
        guard head["objects"] == .integer(Int64(objects.count)),
            head["registrations"] == .integer(Int64(entries.count))
        else { throw Self.bad("it does not hold as many objects and registrations as line 1 says") }
        for entry in entries where objects[entry.registration.objectSha256] == nil {
            throw Self.bad("the object of registration \(entry.id) is not in it")
        }
        guard Set(entries.map(\.id)).count == entries.count else { throw Self.bad("an id is there twice") }
    }

    private mutating func add(_ json: JSONValue, line: Int) throws(Refusal) {
        if let item = json["object"] {
            guard let sha256 = item["sha256"]?.string,
                let bytes = item["base64"]?.string.flatMap({ Base64.decode($0) }),
                ObjectHash.of(bytes) == sha256
            else { throw Self.bad("line \(line): the object is not what its hash says") }
            objects[sha256] = bytes
        } else {
            guard let entry = json["registration"].flatMap({ RegistryEntry(json: $0) }) else {
                throw Self.bad("line \(line) is neither an object nor a registration")
            }
            entries.append(entry)
        }
    }

    private static func parse(_ line: ArraySlice<UInt8>, line number: Int) throws(Refusal) -> JSONValue {
        do { return try JSONValue(parsing: Array(line), limits: .request) } catch {
            throw bad("line \(number): \(error)")
        }
    }

    private static func bad(_ reason: String) -> Refusal {
        Refusal("invalid", errno: 22, "this is no registry archive", reason: reason)
    }
}
