package import ControlAPI

/// Where the registry is kept. Used by one thread at a time.
package protocol RegistryKeeper: AnyObject, Sendable {
    /// What is kept outlives the process.
    var isDurable: Bool { get }

    /// What is kept.
    var book: RegistryBook { get }

    /// Applies changes in order and returns once they are kept; each fails or succeeds by itself.
    /// - Returns: why each was not kept, nil where it was.
    func commit(_ changes: [RegistryChange]) -> [Refusal?]

    /// Notes, before they are restored, how often each of these registrations has been begun without an end; forgets
    /// `ended`. What cannot be noted is restored all the same.
    func markRestoring(_ attempts: [UInt32: Int], ended: [UInt32])

    /// Looks at everything that is kept; changes nothing.
    func verify() -> RegistryVerification

    /// - Throws: EIO, with the reason, for an object that is not there or not what its hash says.
    func object(_ sha256: String) throws(Refusal) -> [UInt8]
}
