package import ControlAPI
import Foundation
package import Netsim

/// Files that a run writes while it goes, by path.
package struct RunOutputs: Sendable {
    /// pcapng.
    package var capture: String?
    /// A directory, for one qlog file per flow.
    package var qlog: String?
    /// JSON lines.
    package var calls: String?

    package init() {}

    /// Creates or empties the files; those of flows, when the first of their bytes comes.
    /// - Throws: what the system says of the first that cannot be made.
    package func open() throws(Refusal) -> SimulationOutputs {
        var outputs = SimulationOutputs()
        if let capture { outputs.capture = try OutputFile.sink(capture) }
        if let qlog {
            try OutputFile.makeDirectory(qlog)
            outputs.qlog = { flow in OutputFile.lazySink("\(qlog)/\(flow).sqlog") }
        }
        if let calls { outputs.calls = try OutputFile.sink(calls) }
        return outputs
    }
}
