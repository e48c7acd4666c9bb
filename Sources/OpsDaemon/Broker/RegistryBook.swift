import ControlAPI

/// What the daemon has promised to keep: every registration that was acknowledged, with its object.
///
/// The runtime has the live state; this is what it is given back after it died. Registrations that cannot be used are
/// kept too, marked FAILED with the reason.
struct RegistryBook: Equatable, Sendable {
    struct Entry: Equatable, Sendable {
        /// As it was when it was acknowledged.
        var registration: Registration
        /// File name of the object, for messages.
        var file: String?
        /// Why it is not in use; nil: it is.
        var failure: String?
        /// It was being restored, or was used, when the runtime died.
        var isQuarantined = false
    }

    /// By id.
    private(set) var entries: [UInt32: Entry] = [:]
    /// The highest id ever given out.
    private(set) var lastID: UInt32 = 0

    var count: Int { entries.count }
    var active: [Entry] { sorted.filter { $0.failure == nil } }
    var failed: [Entry] { sorted.filter { $0.failure != nil } }
    var quarantinedCount: Int { entries.values.count { $0.isQuarantined } }
    var objects: Set<String> { Set(entries.values.map(\.registration.objectSha256)) }

    private var sorted: [Entry] { entries.values.sorted { $0.registration.id < $1.registration.id } }

    mutating func add(_ registration: Registration, file: String?) {
        entries[registration.id] = Entry(registration: registration, file: file)
        lastID = max(lastID, registration.id)
    }

    mutating func add(_ entry: Entry) {
        entries[entry.registration.id] = entry
        lastID = max(lastID, entry.registration.id)
    }

    mutating func remove(_ id: UInt32) { entries[id] = nil }

    /// No id up to this one will be given out again.
    mutating func reserve(upTo id: UInt32) { lastID = max(lastID, id) }

    mutating func fail(_ id: UInt32, reason: String, quarantined: Bool) {
        entries[id]?.failure = reason
        entries[id]?.isQuarantined = quarantined
    }

    /// Failed entries as `show` lists them.
    func failedRegistrations(_ selector: Selector) -> [Registration] {
        failed.filter { entry in
            if let id = selector.id { return entry.registration.id == id }
            if let name = selector.name { return entry.registration.name == name }
            return true
        }.map { entry in
            var registration = entry.registration
            registration.state = "FAILED"
            registration.refs = 0
            registration.linkID = nil
            registration.reason = entry.failure
            return registration
        }
    }

    /// Active entries, by object: what is restored together. In the order of the first id.
    var restorable: [(sha256: String, file: String?, items: [RestoreParameters.Item])] {
        var groups: [(sha256: String, file: String?, items: [RestoreParameters.Item])] = []
        for entry in active {
            let item = RestoreParameters.Item(
                id: entry.registration.id, variable: entry.registration.variable ?? entry.registration.name)
            // One variable twice is two loads of the object, each with its own data.
            if let index = groups.firstIndex(where: { group in
                group.sha256 == entry.registration.objectSha256
                    && !group.items.contains { $0.variable == item.variable }
            }) {
                groups[index].items.append(item)
            } else {
                groups.append((entry.registration.objectSha256, entry.file, [item]))
            }
        }
        return groups
    }
}
