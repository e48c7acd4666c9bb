package import ControlAPI
import Glibc
import Synchronization

/// Documents that outlive the process, each in a file of its own: one that is damaged costs itself alone.
///
/// ```
/// STATE/<name>/<number>     {"record": header, "sha256": of the header's text, "body": {"bytes", "sha256"}}
///                           and, from the second line on, the body
/// ```
/// A list needs the headers only, and bodies may be large. Written by one thread at a time, in a directory that a
/// `RegistryStore` holds; others may read what is not being written.
package final class RecordFolder: Sendable {
    package struct Record: Sendable {
        package var number: UInt32
        package var header: JSONValue
        package var bodyByteCount: Int
    }

    /// What a folder has, as far as it could be read.
    package struct Contents: Sendable {
        /// By number.
        package var records: [Record] = []
        /// The highest number that is taken, whether or not its file could be read.
        package var highest: UInt32 = 0
        /// What was found wrong, one sentence each.
        package var findings: [String] = []

        package init() {}
    }
    private let folder: DurableFolder
    private let damaged: DurableFolder
    private let name: String
    private let isListed = Atomic<Bool>(false)
    /// What most headers fit in; of a file with a longer one all is read.
    private static let headerBytes = 64 << 10
    /// So that there is always a next one.
    private static let numbers = 1...(UInt32.max - (1 << 20))
    /// No body is larger: what says so is damaged.
    private static let bodyBytesMax: Int64 = 1 << 40

    /// - Parameters:
    ///   - directory: the state directory.
    ///   - name: of the folder in it.
    package init(directory: String, name: String) {
        folder = DurableFolder(path: directory + "/" + name)
        damaged = DurableFolder(path: directory + "/damaged")
        self.name = name
    }

    /// Reads what is there. What is damaged is put aside; what cannot be read is left alone.
    package func open() -> Contents {
        var contents = Contents()
        do throws(DurableFolder.Failure) {
            try folder.make()
            for file in try folder.names() {
                guard let number = UInt32(file), Self.numbers.contains(number) else {
                    if file.hasSuffix(DurableFolder.draftSuffix) { folder.remove(file) }
                    continue
                }
                contents.highest = max(contents.highest, number)
                read(number, file, into: &contents)
            }
            isListed.store(true, ordering: .relaxed)
        } catch {
            contents.findings.append("'\(name)' cannot be read: \(error.text)")
        }
        contents.records.sort { $0.number < $1.number }
        return contents
    }

    private func read(_ number: UInt32, _ file: String, into contents: inout Contents) {
        do throws(DurableFolder.Failure) {
            if let record = try record(number, from: file) { return contents.records.append(record) }
            folder.setAside(file, to: damaged, as: "\(name)-\(file)")
            contents.findings.append("'\(name)/\(file)' is damaged; it was put aside")
        } catch {
            contents.findings.append("'\(name)/\(file)' cannot be read: \(error.text)")
        }
    }

    /// A folder that could not be listed at the start may be used once it turns out to be empty: what is in it must not be
    /// written over.
    private func list() throws(DurableFolder.Failure) {
        guard !isListed.load(ordering: .relaxed) else { return }
        try folder.make()
        guard try !folder.names().contains(where: { UInt32($0) != nil }) else {
            throw DurableFolder.Failure(errno: EIO, call: "opendir at the start", path: folder.path)
        }
        isListed.store(true, ordering: .relaxed)
    }

    /// In place once this returns, whole, whenever the machine stops.
    package func put(_ number: UInt32, _ header: JSONValue, body: [UInt8]) throws(Refusal) {
        let outer: JSONValue = [
            "record": header, "sha256": .string(ObjectHash.of(header.utf8())),
            "body": ["bytes": .integer(Int64(body.count)), "sha256": .string(ObjectHash.of(body))],
        ]
        do throws(DurableFolder.Failure) {
            try list()
            try folder.write(String(number), outer.utf8() + [UInt8(ascii: "\n")] + body)
        } catch {
            throw error.refusal
        }
    }

    /// - Throws: EIO, with the reason, for one that is not there, or not as it was written.
    package func body(_ number: UInt32) throws(Refusal) -> [UInt8] {
        let bytes: [UInt8]
        do { bytes = try folder.read(String(number)) } catch { throw Self.unreadable(error.text) }
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")),
            let outer = try? JSONValue(parsing: Array(bytes[..<end]), limits: .reply)
        else { throw Self.unreadable("'\(name)/\(number)' is damaged") }
        let body = Array(bytes[(end + 1)...])
        guard outer["body"]?["sha256"]?.string == ObjectHash.of(body) else {
            throw Self.unreadable("'\(name)/\(number)' is damaged: its hash is another")
        }
        return body
    }

    /// What cannot be removed comes back at the next start, which must do no harm.
    package func remove(_ numbers: [UInt32]) {
        for number in numbers { folder.remove(String(number)) }
        try? folder.sync()
    }

    /// - Returns: nil if it is damaged.
    private func record(_ number: UInt32, from file: String) throws(DurableFolder.Failure) -> Record? {
        let newline = UInt8(ascii: "\n")
        var bytes = try folder.read(file, prefix: Self.headerBytes)
        if bytes.count == Self.headerBytes, !bytes.contains(newline) { bytes = try folder.read(file) }
        guard let end = bytes.firstIndex(of: newline),
            let outer = try? JSONValue(parsing: Array(bytes[..<end]), limits: .reply),
            let header = outer["record"], outer["sha256"]?.string == ObjectHash.of(header.utf8()),
            let count = outer["body"]?["bytes"]?.integer, (0...Self.bodyBytesMax).contains(count)
        else { return nil }
        return Record(number: number, header: header, bodyByteCount: Int(count))
    }

    private static func unreadable(_ reason: String) -> Refusal {
        Refusal("io", errno: Int(EIO), "a record cannot be read", reason: reason)
    }
}
