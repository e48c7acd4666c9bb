import Synchronization

/// What makes two loads of an object the same to the verifier and the compiler.
struct PreparedKey: Hashable, Sendable {
    var sha256: String
    /// As asked for; nil: the default.
    var profile: String?
    /// How many subsystems there are to choose the target from: they are only ever added.
    var subsystemCount: Int
    var kconfig: [String: String]
    /// `.rodata` values are constants in the code; the others do no harm here.
    var globals: [String: [UInt8]]
    /// Wanted struct_ops variables; nil: automatic.
    var maps: Set<String>?
    var keepsGoing: Bool
}

/// Verified and compiled objects, the latest used last, for loads that ask for the same again.
final class ObjectCache: Sendable {
    private let countMax: Int
    private let entries = Mutex<[(key: PreparedKey, object: PreparedObject)]>([])

    init(countMax: Int) { self.countMax = countMax }

    func find(_ key: PreparedKey) -> PreparedObject? {
        entries.withLock { entries in
            guard let index = entries.firstIndex(where: { $0.key == key }) else { return nil }
            let entry = entries.remove(at: index)
            entries.append(entry)
            return entry.object
        }
    }

    /// If two threads prepared the same at once, the first one's stays.
    func insert(_ object: PreparedObject, for key: PreparedKey) {
        entries.withLock { entries in
            guard countMax > 0, !entries.contains(where: { $0.key == key }) else { return }
            if entries.count >= countMax { entries.removeFirst() }
            entries.append((key, object))
        }
    }

    func removeAll() { entries.withLock { $0 = [] } }
    var count: Int { entries.withLock { $0.count } }
}
