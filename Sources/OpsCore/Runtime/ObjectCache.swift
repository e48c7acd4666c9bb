import Glibc
import Synchronization

/// What, beside the file itself, makes two loads of an object the same to the verifier and the compiler.
struct PreparedKey: Hashable, Sendable {
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
///
/// Files are compared byte by byte: that takes a tenth of the time of a digest, and only files of one size are looked at.
final class ObjectCache: Sendable {
    private let countMax: Int
    private let entries = Mutex<[(key: PreparedKey, object: PreparedObject)]>([])

    init(countMax: Int) { self.countMax = countMax }

    func find(_ key: PreparedKey, _ file: [UInt8]) -> PreparedObject? {
        entries.withLock { entries in
            guard
                let index = entries.firstIndex(where: { $0.key == key && Self.isSame($0.object.image, file) })
            else {
                return nil
            }
            let entry = entries.remove(at: index)
            entries.append(entry)
            return entry.object
        }
    }

    /// If two threads prepared the same at once, the first one's stays.
    func insert(_ object: PreparedObject, for key: PreparedKey) {
        entries.withLock { entries in
            let isKnown = entries.contains { $0.key == key && Self.isSame($0.object.image, object.image) }
            guard countMax > 0, !isKnown else { return }
            if entries.count >= countMax { entries.removeFirst() }
            entries.append((key, object))
        }
    }

    /// `==` would look at one byte after the other.
    private static func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        // SAFETY: both have `count` bytes for the duration of the call.
        return unsafe left.withUnsafeBytes { left in
            unsafe right.withUnsafeBytes { right in
                guard let first = left.baseAddress, let second = right.baseAddress else { return true }
                return unsafe memcmp(first, second, left.count) == 0
            }
        }
    }

    func removeAll() { entries.withLock { $0 = [] } }
    var count: Int { entries.withLock { $0.count } }
}
