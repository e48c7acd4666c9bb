package import ControlAPI
import Netsim
import OpsCore

/// A scenario that has been read and checked.
package struct ParsedScenario: Sendable {
    package var name: String
    package var durationSeconds: Double
}

extension RuntimeHost {
    package func scenario(_ text: String, file: String) throws(Refusal) -> ParsedScenario {
        throw .notBuiltYet("'sim run'")
    }

    /// Registers those maps of an object whose ops names the scenario uses.
    package func registerNeeded(by scenario: ParsedScenario, _ bytes: [UInt8], name: String) throws(Refusal) {
        throw .notBuiltYet("'sim run'")
    }

    /// Ids of the registrations that the scenario's flows would use now.
    package func registrationsUsed(by scenario: ParsedScenario) -> [UInt32] { [] }

    /// Runs to the end.
    ///
    /// - Parameter progress: called now and then, on this thread; false ends the run early.
    package func simulate(
        _ scenario: ParsedScenario, id: UInt32 = 1, timing: Bool = false, progress: (RunStatus) -> Bool
    ) throws(Refusal) -> JSONValue {
        throw .notBuiltYet("'sim run'")
    }
}
