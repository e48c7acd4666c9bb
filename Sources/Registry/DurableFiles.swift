import ControlAPI
import Foundation
import Glibc
import Synchronization

/// A folder whose files are each there whole or not at all, whenever the machine stops.
///
/// A file is written under a draft's name and synced, then renamed; its directory is synced before anybody relies on it.
/// Drafts of many files are synced side by side: the file system's journal takes them in one commit, where one after the
/// other would each wait for the disk.
struct DurableFolder: Sendable {
    static let draftSuffix = ".new"
    /// Threads that wait for the disk at once.
    private static let syncsMax = 16

    let path: String

    func path(of name: String) -> String { path + "/" + name }

    /// Why a step failed.
    struct Failure: Error {
        var errno: CInt
        var call: String
        var path: String

        var text: String { "\(call) '\(path)': \(String(cString: strerror(errno)))" }
    }

    /// Makes the folder, readable by us alone.
    func make() throws(Failure) {
        guard mkdir(path, 0o700) == 0 || Glibc.errno == EEXIST else { throw failure("mkdir", path) }
    }

    func names() throws(Failure) -> [String] {
        guard let directory = opendir(path) else { throw failure("opendir", path) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// - Parameter limit: bytes from the start; nil: all.
    func read(_ name: String, prefix limit: Int? = nil) throws(Failure) -> [UInt8] {
        let path = path(of: name)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure("stat", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(errno: EINVAL, call: "open", path: path)
        }
        var bytes = [UInt8](repeating: 0, count: min(Int(status.st_size), limit ?? .max))
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset)
            }
            if count < 0, Glibc.errno == EINTR { continue }
            guard count >= 0 else { throw failure("read", path) }
            guard count > 0 else { break }
            offset += count
        }
        bytes.removeLast(bytes.count - offset)
        return bytes
    }

    // MARK: Writing

    /// Writes drafts of files, side by side, each synced. - Returns: what failed.
    func writeDrafts(_ files: [(name: String, bytes: [UInt8])]) -> [Failure] {
        let work = DraftWork(files)
        let group = DispatchGroup()
        for _ in 1..<max(1, min(files.count, Self.syncsMax)) {
            group.enter()
            Thread {
                work.run(in: self)
                group.leave()
            }.start()
        }
        work.run(in: self)
        group.wait()
        return work.failures.withLock { $0 }
    }

    /// Files that several threads take from until none is left.
    private final class DraftWork: Sendable {
        let files: [(name: String, bytes: [UInt8])]
        let next = Atomic<Int>(0)
        let failures = Mutex<[Failure]>([])

        init(_ files: [(name: String, bytes: [UInt8])]) { self.files = files }

        func run(in folder: DurableFolder) {
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < files.count else { return }
                if let failure = folder.writeDraft(files[index].name, files[index].bytes) {
                    failures.withLock { $0.append(failure) }
                }
            }
        }
    }

    private func writeDraft(_ name: String, _ bytes: [UInt8]) -> Failure? {
        let draft = path(of: name + Self.draftSuffix)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return failure("open", draft) }
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress.map { $0 + offset }, buffer.count - offset)
            }
            if count < 0, Glibc.errno == EINTR { continue }
            guard count > 0 else { return abandon(descriptor, draft, failure("write", draft)) }
            offset += count
        }
        guard fsync(descriptor) == 0 else { return abandon(descriptor, draft, failure("fsync", draft)) }
        close(descriptor)
        return nil
    }

    private func abandon(_ descriptor: CInt, _ draft: String, _ failure: Failure) -> Failure {
        close(descriptor)
        unlink(draft)
        return failure
    }

    func dropDraft(_ name: String) { unlink(path(of: name + Self.draftSuffix)) }

    /// The draft becomes the file. Durable once the folder is synced.
    func publish(_ name: String) throws(Failure) {
        let file = path(of: name)
        guard Glibc.rename(file + Self.draftSuffix, file) == 0 else { throw failure("rename", file) }
    }

    /// What has been published or removed stays so.
    func sync() throws(Failure) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("fsync", path) }
    }

    /// In place once this returns, whole, whenever the machine stops. What is refused is not there; what was there before
    /// is, or what was to replace it.
    func write(_ name: String, _ bytes: [UInt8]) throws(Failure) {
        if let failure = writeDrafts([(name, bytes)]).first { throw failure }
        let isNew = access(path(of: name), F_OK) != 0
        do throws(Failure) {
            try publish(name)
            try sync()
        } catch {
            dropDraft(name)
            if isNew { remove(name) }
            throw error
        }
    }

    /// Moves what cannot be read into another folder, under a name that is free there.
    func setAside(_ name: String, to other: DurableFolder, as newName: String) {
        try? other.make()
        var free = newName
        var number = 1
        while access(other.path(of: free), F_OK) == 0 {
            number += 1
            free = "\(newName).\(number)"
        }
        Glibc.rename(path(of: name), other.path(of: free))
    }

    /// Durable at some later time; a file that comes back does no harm where this is called.
    /// - Returns: whether it is not there any more.
    @discardableResult
    func remove(_ name: String) -> Bool { unlink(path(of: name)) == 0 || Glibc.errno == ENOENT }

    /// Durable at some later time. - Returns: whether it is not there under its old name any more.
    func rename(_ name: String, to new: String) -> Bool {
        Glibc.rename(path(of: name), path(of: new)) == 0 || Glibc.errno == ENOENT
    }

    private func failure(_ call: String, _ path: String) -> Failure {
        Failure(errno: Glibc.errno, call: call, path: path)
    }
}

extension DurableFolder.Failure {
    /// What a client is told whose change could not be kept.
    var refusal: Refusal { .notKept(errno: Int(errno), reason: text) }
}

extension Refusal {
    static func notKept(errno: Int, reason: String) -> Refusal {
        Refusal(
            "io", errno: errno, "the change could not be stored", reason: reason,
            suggestion: "nothing was changed; see to the state directory and try again")
    }
}
