package import ControlAPI
import Foundation
import Netsim
import OpsCore
import Synchronization

/// One runtime with its subsystems, behind ControlAPI's messages. The daemon's runtime process has one, and so has
/// `opsctl` for what it does without a daemon.
///
/// Knows neither who the client is nor where anything is stored. Every method may be called from any thread.
package final class RuntimeHost: Sendable {
    let runtime: OpsRuntime
    /// The one subsystem so far.
    let congestionControl = TCPCongestionControl()
    let statistics = OpStatistics()
    let trials = Trials()
    /// Of each registration, in simulations that begin from now on.
    let budget = Mutex(ProgramBudget())
    let restoring = RestoreGate()
    /// As given to `init`; for news that the runtime itself does not know of.
    let onEvent: @Sendable (HostEvent) -> Void

    /// - Parameter onEvent: told about each change of state, on the thread that made it; must not call the host.
    package init(onEvent: @escaping @Sendable (HostEvent) -> Void = { _ in }) throws(Refusal) {
        self.onEvent = onEvent
        runtime = OpsRuntime(
            configuration: OpsRuntime.Configuration(onEvent: { event in
                if let event = HostEvent(event) { onEvent(event) }
            }))
        try refusing { () throws(OpsError) in try runtime.add(congestionControl) }
    }

    /// Seconds since the epoch, which the runtime itself does not know.
    static var now: UInt64 { UInt64(max(0, Date().timeIntervalSince1970)) }
}
