import ControlAPI
import Crypto
import Foundation
import Glibc

/// Where registrations outlive the daemon: objects by content hash, and one file that lists the registrations.
///
/// ```
/// STATE/objects/<sha256>.o
/// STATE/registry.json        {version, last_id, registrations: […]}
/// ```
/// Every file is written under another name, synced, and renamed; then the directory is synced. So after a crash each is
/// there whole or not at all, and the list never names an object that is not there. Without a directory objects are kept
/// in memory. Used by one thread at a time.
final class ObjectStore: @unchecked Sendable {  // Confined to `Storage`'s queue, or its loop.
    private let directory: URL?
    /// Objects without a directory, in base64.
    private var memory: [String: String] = [:]

    init(directory path: String?) throws(StartFailure) {
        directory = path.map { URL(filePath: $0, directoryHint: .isDirectory) }
        guard let directory else { return }
        do {
            try FileManager.default.createDirectory(
                at: directory.appending(path: "objects"), withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw StartFailure(
                "cannot use the state directory '\(directory.path)': \(error.localizedDescription)")
        }
    }

    var isDurable: Bool { directory != nil }

    /// Keeps an object. - Parameter sha256: what the runtime says it is, which is not taken on trust: it is compared
    /// before the object goes to disk, and when one that is in memory is read.
    func put(_ base64: String, sha256: String) throws(Refusal) {
        guard let file = file(of: sha256) else {
            if memory[sha256] == nil { memory[sha256] = base64 }
            return
        }
        let bytes = try ObjectStore.checked(base64, sha256: sha256)
        guard !FileManager.default.fileExists(atPath: file.path) else { return }
        try write(Data(bytes), to: file)
    }

    private static func checked(_ base64: String, sha256: String) throws(Refusal) -> [UInt8] {
        guard let bytes = Base64.decode(base64) else { throw ObjectStore.refusal("it is not base64") }
        let digest = SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard digest == sha256 else {
            throw ObjectStore.refusal("the runtime calls it \(sha256), its hash is \(digest)")
        }
        return bytes
    }

    /// The object in base64.
    func object(_ sha256: String) throws(Refusal) -> String {
        guard let file = file(of: sha256) else {
            guard let base64 = memory[sha256] else {
                throw ObjectStore.refusal("object \(sha256) is not known")
            }
            _ = try ObjectStore.checked(base64, sha256: sha256)
            return base64
        }
        do {
            return try Data(contentsOf: file).base64EncodedString()
        } catch {
            throw ObjectStore.refusal("'\(file.path)': \(error.localizedDescription)")
        }
    }

    /// Makes the list on disk equal to `book`, then drops objects that nothing names any more.
    func save(_ book: RegistryBook) throws(Refusal) {
        guard let directory else {
            let wanted = book.objects
            memory = memory.filter { wanted.contains($0.key) }
            return
        }
        let registrations = (book.active + book.failed).map { entry -> JSONValue in
            var json = entry.registration.json.setting("file", to: .optional(entry.file))
            if let failure = entry.failure { json = json.setting("failure", to: .string(failure)) }
            return entry.isQuarantined ? json.setting("quarantined", to: true) : json
        }
        let json: JSONValue = [
            "version": 1, "last_id": .integer(Int64(book.lastID)), "registrations": .array(registrations),
        ]
        try write(Data(json.utf8(indented: true)), to: directory.appending(path: "registry.json"))
        removeObjects(except: book.objects)
    }

    /// - Throws: what is wrong with the list; a missing one is an empty registry.
    func load() throws(StartFailure) -> RegistryBook {
        var book = RegistryBook()
        guard let file = directory?.appending(path: "registry.json"),
            FileManager.default.fileExists(atPath: file.path)
        else { return book }
        do {
            let json = try JSONValue(parsing: Array(try Data(contentsOf: file)), limits: .reply)
            guard json["version"] == 1 else {
                throw StartFailure("'\(file.path)' is of another version than 1")
            }
            for item in json["registrations"]?.array ?? [] {
                book.add(
                    RegistryBook.Entry(
                        registration: try item.decode(), file: item["file"]?.string,
                        failure: item["failure"]?.string, isQuarantined: item["quarantined"]?.bool ?? false))
            }
            book.reserve(upTo: UInt32(clamping: json["last_id"]?.integer ?? 0))
            return book
        } catch {
            throw (error as? StartFailure) ?? StartFailure("'\(file.path)' cannot be read: \(error)")
        }
    }

    private func file(of sha256: String) -> URL? {
        directory?.appending(path: "objects/\(sha256).o")
    }

    private func removeObjects(except wanted: Set<String>) {
        guard let folder = directory?.appending(path: "objects") else { return }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        for name in names where !wanted.contains(String(name.dropLast(2))) {
            try? FileManager.default.removeItem(at: folder.appending(path: name))
        }
    }

    /// Write, sync, rename, sync the directory: whole or not at all.
    private func write(_ data: Data, to file: URL) throws(Refusal) {
        let draft = file.path + ".new"
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ObjectStore.failure("open", draft) }
        var offset = 0
        while offset < data.count {
            let count = data.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let refusal = ObjectStore.failure("write", draft)
                close(descriptor)
                unlink(draft)
                throw refusal
            }
            offset += count
        }
        let isSynced = fsync(descriptor) == 0
        close(descriptor)
        guard isSynced, rename(draft, file.path) == 0 else {
            let refusal = ObjectStore.failure(isSynced ? "rename" : "fsync", draft)
            unlink(draft)
            throw refusal
        }
        let folder = open(file.deletingLastPathComponent().path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw ObjectStore.failure("open", file.deletingLastPathComponent().path) }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw ObjectStore.failure("fsync", file.path) }
    }

    private static func failure(_ call: String, _ path: String) -> Refusal {
        let number = errno
        return Refusal(
            "io", errno: Int(number), "the registration could not be stored",
            reason:
                "\(call) '\(path)': \(String(cString: strerror(number)))",
            suggestion: "nothing was changed; see to the state directory and try again")
    }

    private static func refusal(_ reason: String) -> Refusal {
        Refusal("io", errno: 5, "the object could not be stored or read back", reason: reason)
    }
}
