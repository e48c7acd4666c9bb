import ControlAPI
import Glibc

/// The highest ids that were given out to what ends with its connection. No manifest tells of them, and a database may
/// be lost: so they have a file of their own.
///
/// ```
/// {"last_id": …, "last_link_id": …}
/// ```
struct ReservedIDs: Equatable, Sendable {
    static let fileName = "ids.json"

    var id: UInt32 = 0
    var linkID: UInt32 = 0

    var bytes: [UInt8] {
        let value: JSONValue = ["last_id": .integer(Int64(id)), "last_link_id": .integer(Int64(linkID))]
        return value.utf8() + [UInt8(ascii: "\n")]
    }
}

extension ReservedIDs {
    /// nil: damaged.
    init?(parsing bytes: [UInt8]) {
        guard let value = try? JSONValue(parsing: bytes, limits: .reply),
            let id = value["last_id"]?.integer.flatMap({ UInt32(exactly: $0) }),
            let linkID = value["last_link_id"]?.integer.flatMap({ UInt32(exactly: $0) })
        else { return nil }
        self.init(id: id, linkID: linkID)
    }
}

extension RegistryStore {
    /// Stores the highest ids of the book, which no registration tells of.
    func writeReservedIDs() throws(Refusal) {
        let ids = ReservedIDs(id: book.lastID, linkID: book.lastLinkID)
        do { try directory.write(ReservedIDs.fileName, ids.bytes) } catch { throw error.refusal }
    }

    func readReservedIDs(_ report: inout RecoveryReport) -> ReservedIDs {
        do throws(DurableFolder.Failure) {
            if let ids = ReservedIDs(parsing: try directory.read(ReservedIDs.fileName)) { return ids }
            report.findings.append(
                "lost: the highest ids of transient registrations: '\(ReservedIDs.fileName)' is damaged")
            setAside([ReservedIDs.fileName], in: directory)
        } catch {
            // There is none before the first transient registration.
            if error.errno == ENOENT { return ReservedIDs() }
            report.findings.append("lost: the highest ids of transient registrations: \(error.text)")
        }
        report.hasLost = true
        return ReservedIDs()
    }
}
