package struct DaemonStatus: Codable, Equatable, Sendable {
    package var version: String
    package var pid: Int32
    /// nil while it is being restarted.
    package var runtimePID: Int32?
    package var uptimeS: Int64
    package var restarts: Int
    package var connections: Int
    package var registrations: Int
    package var quarantined: Int
    package var simulations: Int
    /// Registrations are kept on disk.
    package var durable: Bool

    package init(
        version: String, pid: Int32, runtimePID: Int32?, uptimeS: Int64, restarts: Int, connections: Int,
        registrations: Int, quarantined: Int, simulations: Int, durable: Bool
    ) {
        self.version = version
        self.pid = pid
        self.runtimePID = runtimePID
        self.uptimeS = uptimeS
        self.restarts = restarts
        self.connections = connections
        self.registrations = registrations
        self.quarantined = quarantined
        self.simulations = simulations
        self.durable = durable
    }
}
