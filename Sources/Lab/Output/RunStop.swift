package import ControlAPI
import Netsim
package import OpsHost

/// Where a run is stopped to be looked at.
package struct RunStop: Sendable {
    private let point: StopPoint

    /// `flow a op ssthresh`; nil for anything else.
    package init?(call text: String) {
        guard let point = StopPoint.parse(op: text) else { return nil }
        self.point = point
    }

    /// `1.25s`; nil for anything else.
    package init?(time text: String) {
        guard let point = StopPoint.parse(time: text) else { return nil }
        self.point = point
    }

    /// Ops that can be named.
    package static var ops: [String] { StopPoint.ops }

    /// Runs there.
    /// - Returns: the sockets and the programs' data, as JSON.
    /// - Throws: ENOENT if the run ends before; what outputs throw.
    package func inspect(
        _ scenario: ParsedScenario, on host: RuntimeHost, outputs: RunOutputs,
        progress: @escaping @Sendable (RunStatus) -> Bool
    ) throws(Refusal) -> JSONValue {
        try host.inspect(scenario, at: point, outputs: try outputs.open(), progress: progress)
    }
}
