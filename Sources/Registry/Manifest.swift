import ControlAPI

/// The registrations of one object, in a file beside it: from these files alone the registry can be rebuilt.
///
/// ```
/// {"manifest": {version, generation, last_id, last_link_id, object_sha256, registrations}, "sha256": …}
/// ```
/// `generation` counts the commits of the registry: a manifest of a later one than the database's tells that the database
/// has lost its end. An object that has just lost its last registration keeps its manifest, empty, for as long as the
/// database might forget that. The hash is that of the inner object's text.
struct Manifest: Equatable, Sendable {
    static let version: Int64 = 1
    static let suffix = ".json"

    var generation: Int64
    /// The highest ids ever given out, when it was written.
    var lastID: UInt32
    var lastLinkID: UInt32
    var sha256: String
    var entries: [RegistryEntry]

    var fileName: String { Manifest.fileName(of: sha256) }

    static func fileName(of sha256: String) -> String { sha256 + suffix }

    var bytes: [UInt8] {
        let inner: JSONValue = [
            "version": .integer(Manifest.version), "generation": .integer(generation),
            "last_id": .integer(Int64(lastID)), "last_link_id": .integer(Int64(lastLinkID)),
            "object_sha256": .string(sha256), "registrations": .array(entries.map(\.json)),
        ]
        let outer: JSONValue = ["manifest": inner, "sha256": .string(ObjectHash.of(inner.utf8()))]
        return outer.utf8() + [UInt8(ascii: "\n")]
    }

    init(
        generation: Int64, lastID: UInt32, lastLinkID: UInt32, sha256: String, entries: [RegistryEntry]
    ) {
        self.generation = generation
        self.lastID = lastID
        self.lastLinkID = lastLinkID
        self.sha256 = sha256
        self.entries = entries
    }

    /// nil: damaged, or of a version that is not known here.
    init?(parsing bytes: [UInt8]) {
        guard let outer = try? JSONValue(parsing: bytes, limits: .reply), let inner = outer["manifest"],
            outer["sha256"]?.string == ObjectHash.of(inner.utf8()),
            inner["version"] == .integer(Manifest.version),
            let generation = inner["generation"]?.integer,
            let lastID = inner["last_id"]?.integer.flatMap({ UInt32(exactly: $0) }),
            let lastLinkID = inner["last_link_id"]?.integer.flatMap({ UInt32(exactly: $0) }),
            let sha256 = inner["object_sha256"]?.string, ObjectHash.isValid(sha256),
            let items = inner["registrations"]?.array
        else { return nil }
        let entries = items.compactMap { RegistryEntry(json: $0) }
        guard entries.count == items.count,
            entries.allSatisfy({ $0.registration.objectSha256 == sha256 })
        else { return nil }
        self.init(
            generation: generation, lastID: lastID, lastLinkID: lastLinkID, sha256: sha256, entries: entries)
    }
}
