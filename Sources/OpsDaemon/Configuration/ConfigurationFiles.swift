import Foundation

/// `opsd.yaml` and the drop-ins beside it, `opsd.yaml.d/*.yaml` in the order of their names.
struct ConfigurationFiles: Sendable {
    static let defaultPath = "/etc/opsd/opsd.yaml"

    let path: String
    /// The main file was asked for by name, so it has to be there.
    private let isRequired: Bool

    /// - Parameter path: nil: the usual place, where nothing need be.
    init(path: String?) {
        self.path = path ?? Self.defaultPath
        isRequired = path != nil
    }

    /// Reads them all, each over what came before.
    /// - Throws: what is wrong first, with file, line and column; nothing of a faulty set is taken.
    func read() throws(ConfigurationError) -> Configuration {
        var configuration = Configuration()
        var files = try dropIns()
        if isRequired || access(path, F_OK) == 0 { files.insert(path, at: 0) }
        for file in files {
            guard let node = try ConfigurationNode(parsing: text(of: file), file: file) else { continue }
            try configuration.apply(node)
        }
        return configuration
    }

    private func dropIns() throws(ConfigurationError) -> [String] {
        let folder = path + ".d"
        guard access(folder, F_OK) == 0 else { return [] }
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
                .filter { $0.hasSuffix(".yaml") && !$0.hasPrefix(".") }.sorted().map { "\(folder)/\($0)" }
        } catch {
            throw Self.unreadable(folder)
        }
    }

    private func text(of file: String) throws(ConfigurationError) -> String {
        guard let data = FileManager.default.contents(atPath: file) else { throw Self.unreadable(file) }
        guard let text = String(data: data, encoding: .utf8) else {
            throw ConfigurationError(text: "\(file): not UTF-8")
        }
        return text
    }

    private static func unreadable(_ path: String) -> ConfigurationError {
        ConfigurationError(text: "\(path): cannot be read")
    }
}
