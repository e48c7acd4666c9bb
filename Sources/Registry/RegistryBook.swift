package import ControlAPI

/// What the daemon has promised to keep: every registration that was acknowledged.
///
/// The runtime has the live state; this is what it is given back after it died. Registrations that cannot be used are
/// kept too, marked FAILED with the reason. Every look-up costs what it finds, not what there is.
package struct RegistryBook: Equatable, Sendable {
    /// By id.
    package private(set) var entries: [UInt32: RegistryEntry] = [:]
    /// Ids of the entries of each object.
    private var idsByObject: [String: Set<UInt32>] = [:]
    private var idsByLink: [UInt32: UInt32] = [:]
    private var idsByName: [String: Set<UInt32>] = [:]
    private var failedIDs: Set<UInt32> = []
    /// The highest ids ever given out.
    package private(set) var lastID: UInt32 = 0
    package private(set) var lastLinkID: UInt32 = 0

    package init() {}

    package var count: Int { entries.count }
    package var quarantinedCount: Int { failedIDs.count { entries[$0]?.isQuarantined == true } }
    package var hasFailed: Bool { !failedIDs.isEmpty }
    /// By id.
    package var sorted: [RegistryEntry] { entries.values.sorted { $0.id < $1.id } }
    /// By id.
    package var failed: [RegistryEntry] { failedIDs.sorted().compactMap { entries[$0] } }
    package var objects: [String] { Array(idsByObject.keys) }

    package func uses(_ sha256: String) -> Bool { idsByObject[sha256] != nil }

    /// By id.
    package func entries(ofObject sha256: String) -> [RegistryEntry] {
        (idsByObject[sha256] ?? []).sorted().compactMap { entries[$0] }
    }

    package func entry(ofLink id: UInt32) -> RegistryEntry? { idsByLink[id].flatMap { entries[$0] } }

    /// Those that a selector names, by id; all, if it names none.
    package func select(_ selector: Selector) -> [RegistryEntry] {
        if let id = selector.id { return entries[id].map { [$0] } ?? [] }
        guard let name = selector.name else { return sorted }
        return (idsByName[RegistryBook.cut(name)] ?? []).sorted().compactMap { entries[$0] }
    }

    /// A name is the C variable's first 15 bytes, and a selector may give it in full.
    private static func cut(_ name: String) -> String {
        guard name.utf8.count > 15 else { return name }
        var kept = ""
        for character in name.unicodeScalars where kept.utf8.count + character.utf8.count <= 15 {
            kept.unicodeScalars.append(character)
        }
        return kept
    }

    /// No id up to these will be given out again.
    package mutating func reserve(id: UInt32, linkID: UInt32) {
        lastID = max(lastID, id)
        lastLinkID = max(lastLinkID, linkID)
    }

    // MARK: Changes

    /// - Returns: the change that undoes this one. Ids stay given out.
    @discardableResult
    package mutating func apply(_ change: RegistryChange) -> RegistryChange {
        var undo = RegistryChange()
        reserve(id: change.reserved.id, linkID: change.reserved.linkID)
        for id in change.removed {
            if let old = remove(id) { undo.put.append(old) }
        }
        for entry in change.put {
            if let old = put(entry) { undo.put.append(old) } else { undo.removed.append(entry.id) }
        }
        // Of an id that is removed and put at once, what was there first counts.
        let restored = Set(undo.put.map(\.id))
        undo.removed.removeAll { restored.contains($0) }
        return undo
    }

    private mutating func put(_ entry: RegistryEntry) -> RegistryEntry? {
        let old = remove(entry.id)
        entries[entry.id] = entry
        idsByObject[entry.registration.objectSha256, default: []].insert(entry.id)
        idsByName[entry.registration.name, default: []].insert(entry.id)
        if let link = entry.registration.linkID { idsByLink[link] = entry.id }
        if entry.failure != nil { failedIDs.insert(entry.id) }
        reserve(id: entry.id, linkID: entry.registration.linkID ?? 0)
        return old
    }

    private mutating func remove(_ id: UInt32) -> RegistryEntry? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        RegistryBook.drop(id, of: entry.registration.objectSha256, from: &idsByObject)
        RegistryBook.drop(id, of: entry.registration.name, from: &idsByName)
        if let link = entry.registration.linkID, idsByLink[link] == id { idsByLink[link] = nil }
        failedIDs.remove(id)
        return entry
    }

    private static func drop(_ id: UInt32, of key: String, from index: inout [String: Set<UInt32>]) {
        index[key]?.remove(id)
        if index[key]?.isEmpty == true { index[key] = nil }
    }

    /// The entry marked as one that cannot be used; nil: there is none of that id.
    package func failing(_ id: UInt32, reason: String, isQuarantined: Bool) -> RegistryEntry? {
        guard var entry = entries[id] else { return nil }
        entry.failure = reason
        entry.isQuarantined = isQuarantined
        return entry
    }

    // MARK: Restoring

    /// Registrations of one load of an object: what is restored together.
    package struct Group: Sendable {
        package var sha256: String
        package var file: String?
        package var uid: UInt32
        package var items: [RestoreParameters.Item]
        package var ids: [UInt32] { items.map(\.id) }

        /// nil: nothing is left.
        package func without(_ others: Set<UInt32>) -> Group? {
            var group = self
            group.items.removeAll { others.contains($0.id) }
            return group.items.isEmpty ? nil : group
        }
    }

    /// Entries in use, by object, in the order of their first ids.
    package var restorable: [Group] {
        var groups: [Group] = []
        /// Of each object and uid: its groups, with the variables that they have.
        var known: [String: [(index: Int, variables: Set<String>)]] = [:]
        for entry in sorted where entry.failure == nil {
            let registration = entry.registration
            let item = entry.restoreItem
            let key = "\(registration.objectSha256) \(entry.uid)"
            // One variable twice is two loads of the object, each with its own data.
            if let place = known[key]?.firstIndex(where: { !$0.variables.contains(item.variable) }),
                let index = known[key]?[place].index
            {
                known[key]?[place].variables.insert(item.variable)
                groups[index].items.append(item)
            } else {
                known[key, default: []].append((groups.count, [item.variable]))
                groups.append(
                    Group(sha256: registration.objectSha256, file: entry.file, uid: entry.uid, items: [item]))
            }
        }
        return groups
    }
}
