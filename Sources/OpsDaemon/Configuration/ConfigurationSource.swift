/// Where the configuration comes from, each time it is read: the files, and over them what the command line said.
struct ConfigurationSource: Sendable {
    var files: ConfigurationFiles
    var group: String?
    var hangTimeoutSeconds: Int?

    /// Reads files and looks up names: not for the broker's loop.
    func read() throws(ConfigurationError) -> Rules {
        var configuration = try files.read()
        if let group { configuration.group = group }
        if let hangTimeoutSeconds { configuration.hangTimeoutSeconds = hangTimeoutSeconds }
        return Rules(
            configuration: configuration, access: AccessRule(group: configuration.group),
            trust: try TrustStore(directory: configuration.trustStore))
    }
}

/// The configuration with everything that it names: groups found, keys read. Replaced as a whole by a reload.
struct Rules: Sendable {
    let configuration: Configuration
    let access: AccessRule
    let trust: TrustStore
}
