package import ControlAPI

/// Keeps objects as long as the process lives: what a new runtime is filled from where there is no state directory.
package final class MemoryKeeper: RegistryKeeper, @unchecked Sendable {  // Used by one thread at a time.
    package private(set) var book = RegistryBook()
    private var objects: [String: [UInt8]] = [:]

    package init() {}

    package var isDurable: Bool { false }

    package func commit(_ changes: [RegistryChange]) -> [Refusal?] {
        for change in changes {
            let before = change.removed.compactMap { book.entries[$0]?.registration.objectSha256 }
            book.apply(change)
            for (sha256, bytes) in change.objects where objects[sha256] == nil && book.uses(sha256) {
                objects[sha256] = bytes
            }
            for sha256 in before where !book.uses(sha256) { objects[sha256] = nil }
        }
        return changes.map { _ in nil }
    }

    /// Nobody could read it who comes after us.
    package func markRestoring(_ attempts: [UInt32: Int], ended: [UInt32]) {}

    package func verify() -> RegistryVerification {
        RegistryVerification(durable: false, registrations: book.count, objects: objects.count)
    }

    package func object(_ sha256: String) throws(Refusal) -> [UInt8] {
        guard let bytes = objects[sha256] else {
            throw .unreadable("object \(sha256) is not known")
        }
        // The runtime chose the name: it is compared when it matters, not at each registration.
        guard ObjectHash.of(bytes) == sha256 else {
            throw .unreadable("the runtime called it \(sha256), its hash is \(ObjectHash.of(bytes))")
        }
        return bytes
    }
}

extension Refusal {
    static func unreadable(_ reason: String) -> Refusal {
        Refusal("io", errno: 5, "the object could not be stored or read back", reason: reason)
    }
}
