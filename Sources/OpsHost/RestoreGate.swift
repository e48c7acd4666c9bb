import ControlAPI
import Foundation
import Netsim
import OpsCore

/// Whether registrations are still being restored: a simulation waits for those that it names, and for no others.
///
/// Open from the start: only a runtime that is given something back closes it.
final class RestoreGate: @unchecked Sendable {  // `isClosed` is read and written under `condition` alone.
    private let condition = NSCondition()
    private var isClosed = false

    func set(closed: Bool) {
        condition.withLock { isClosed = closed }
        condition.broadcast()
    }

    /// Somebody may have waited for one of them.
    func registrationsChanged() { condition.broadcast() }

    /// Returns once it is so, or cannot become so any more.
    func wait(until isSo: () -> Bool) {
        condition.lock()
        defer { condition.unlock() }
        // The deadline is for what changes without a word: a caller that has been cancelled.
        while isClosed, !isSo() { _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1)) }
    }
}

extension RuntimeHost {
    /// What was registered before will come, until `restoreEnded`.
    package func restoreBegins() { restoring.set(closed: true) }
    package func restoreEnded() { restoring.set(closed: false) }

    /// Waits for the registrations that a scenario names, as long as any are still to be restored.
    package func awaitRegistrations(of scenario: ParsedScenario, isCancelled: () -> Bool) {
        let wanted = scenario.registrationNames
        restoring.wait { isCancelled() || wanted.allSatisfy(isRegistered) }
    }

    private func isRegistered(_ name: String) -> Bool {
        guard let map = congestionControl.get(name) else { return false }
        map.put()
        return true
    }
}
