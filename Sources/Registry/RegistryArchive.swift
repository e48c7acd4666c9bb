package import ControlAPI
import Crypto
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

    init() {}

    /// - Throws: EINVAL if something that its entries need is missing.
    fileprivate func check(objects objectCount: JSONValue?, registrations: JSONValue?) throws(Refusal) {
        guard objectCount == .integer(Int64(objects.count)), registrations == .integer(Int64(entries.count))
        else {
            throw Self.bad("it does not hold as many objects and registrations as line 1 says")
        }
        for entry in entries where objects[entry.registration.objectSha256] == nil {
            throw Self.bad("the object of registration \(entry.id) is not in it")
        }
        guard Set(entries.map(\.id)).count == entries.count else { throw Self.bad("an id is there twice") }
    }

    fileprivate mutating func add(_ json: JSONValue, line: Int) throws(Refusal) {
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

    fileprivate static func parse(_ line: [UInt8], line number: Int) throws(Refusal) -> JSONValue {
        do { return try JSONValue(parsing: line, limits: .request) } catch {
            throw bad("line \(number): \(error)")
        }
    }

    fileprivate static func bad(_ reason: String) -> Refusal {
        Refusal("invalid", errno: 22, "this is no registry archive", reason: reason)
    }
}

/// Reads an archive that comes in parts, wherever they were cut. Objects are decoded as they come: there is never the text
/// of more than one of them.
///
/// Used by one thread at a time.
package final class RegistryArchiveReader: @unchecked Sendable {  // Its user gives it from thread to thread.
    private var archive = RegistryArchive()
    private var hash = SHA256()
    /// The begin of a line.
    private var rest: [UInt8] = []
    /// The latest whole line, of which it is not known yet whether it is the last.
    private var held: [UInt8]?
    private var lineCount = 0
    private var head: JSONValue = [:]

    package init() {}

    /// - Throws: EINVAL, with the line, for what `RegistryArchiveWriter` has not written.
    package func add(_ text: String) throws(Refusal) {
        let bytes = Array(text.utf8)
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            try takeLine(rest + bytes[start..<end])
            rest = []
            start = end + 1
        }
        rest += bytes[start...]
    }

    private func takeLine(_ line: [UInt8]) throws(Refusal) {
        if let held {
            hash.update(data: held)
            hash.update(data: [UInt8(ascii: "\n")])
            lineCount += 1
            let json = try RegistryArchive.parse(held, line: lineCount)
            if lineCount == 1 { try takeHead(json) } else { try archive.add(json, line: lineCount) }
        }
        held = line
    }

    private func takeHead(_ json: JSONValue) throws(Refusal) {
        guard json["opsd_registry"] == .integer(RegistryArchive.version) else {
            throw RegistryArchive.bad("line 1 does not say 'opsd_registry: \(RegistryArchive.version)'")
        }
        head = json
        archive.lastID = UInt32(clamping: head["last_id"]?.integer ?? 0)
        archive.lastLinkID = UInt32(clamping: head["last_link_id"]?.integer ?? 0)
    }

    /// - Throws: EINVAL if it is not all of it.
    package func finish() throws(Refusal) -> RegistryArchive {
        if !rest.isEmpty { try takeLine(rest) }
        guard let held, lineCount >= 1 else {
            throw RegistryArchive.bad("it has \(held == nil ? 0 : 1) lines")
        }
        let end = try? JSONValue(parsing: held, limits: .request)
        guard end?["sha256"]?.string == ObjectHash.text(hash.finalize()) else {
            throw RegistryArchive.bad(
                "its last line is not the hash of what comes before: it is cut or was changed")
        }
        try archive.check(objects: head["objects"], registrations: head["registrations"])
        return archive
    }
}
