/// The interfaces that the daemon serves, with the text of their `.varlink` files, which the build embeds.
package enum InterfaceCatalog {
    /// By interface name, in the order of `GetInfo`.
    package static let all: [(name: String, description: String)] = [
        ("org.varlink.service", text(PackageResources.org_varlink_service_varlink)),
        ("io.opsd", text(PackageResources.io_opsd_varlink)),
        ("io.opsd.Registry", text(PackageResources.io_opsd_Registry_varlink)),
        ("io.opsd.Program", text(PackageResources.io_opsd_Program_varlink)),
        ("io.opsd.Map", text(PackageResources.io_opsd_Map_varlink)),
        ("io.opsd.Link", text(PackageResources.io_opsd_Link_varlink)),
        ("io.opsd.Simulation", text(PackageResources.io_opsd_Simulation_varlink)),
        ("io.opsd.Daemon", text(PackageResources.io_opsd_Daemon_varlink)),
    ]

    package static func description(of name: String) -> String? {
        all.first { $0.name == name }?.description
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// What opsd says of itself.
package enum Product {
    package static let name = "opsd"
    package static let vendor = "opsd"
    package static let version = "0.1.0"
    /// The socket where nothing else is said.
    package static let defaultSocketPath = "/run/opsd.sock"
}
