import ControlAPI
import Foundation
import Glibc

/// The list that was kept before there was a database: `STATE/registry.json`, {version: 1, last_id, registrations}.
extension RegistryStore {
    private static let oldName = "registry.json"

    /// Takes it over into an empty registry. What `open` does next makes that durable, and then the list goes.
    func takeOverOldList(_ report: inout RecoveryReport) {
        guard generation == 0, book.count == 0, let bytes = try? directory.read(Self.oldName) else { return }
        guard let json = try? JSONValue(parsing: bytes, limits: .reply), json["version"] == 1 else {
            report.hasLost = true
            report.findings.append("lost: '\(Self.oldName)' cannot be read")
            return
        }
        let items = json["registrations"]?.array ?? []
        let entries = items.compactMap { item -> RegistryEntry? in
            guard let registration: Registration = try? item.decode(),
                ObjectHash.isValid(registration.objectSha256)
            else { return nil }
            return RegistryEntry(
                registration, file: item["file"]?.string, failure: item["failure"]?.string,
                isQuarantined: item["quarantined"]?.bool ?? false)
        }
        if entries.count < items.count {
            report.hasLost = true
            report.findings.append(
                "lost: \(items.count - entries.count) registrations of '\(Self.oldName)' cannot be read")
        }
        book.apply(RegistryChange(put: entries))
        book.reserve(id: UInt32(clamping: json["last_id"]?.integer ?? 0), linkID: 0)
        report.findings.append("took over \(entries.count) registrations from '\(Self.oldName)'")
    }

    /// The database has what it said.
    func removeOldList() { directory.remove(Self.oldName) }
}
