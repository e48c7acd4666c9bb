package import ControlAPI
import Crypto
import Foundation

/// Writes a registry as it was at one moment, in parts: there is never the text of more than some lines of it.
///
/// Used by one thread at a time, the keeper's.
package final class RegistryArchiveWriter: @unchecked Sendable {  // Its user gives it from thread to thread.
    package struct Part: Sendable {
        package var text: String
        package var isLast: Bool
    }

    /// A part ends with the line that makes it so long.
    static let partBytes = 1 << 20

    private let object: (String) throws(Refusal) -> [UInt8]
    private let head: JSONValue
    private let hashes: [String]
    private let entries: [RegistryEntry]
    private var hash = SHA256()
    /// The next line's number, from 0.
    private var next = 0

    /// - Parameter object: reads an object by its hash.
    init(_ book: RegistryBook, _ object: @escaping (String) throws(Refusal) -> [UInt8]) {
        self.object = object
        hashes = book.objects.sorted()
        entries = book.sorted
        head = [
            "opsd_registry": .integer(RegistryArchive.version), "last_id": .integer(Int64(book.lastID)),
            "last_link_id": .integer(Int64(book.lastLinkID)), "objects": .integer(Int64(hashes.count)),
            "registrations": .integer(Int64(entries.count)),
        ]
    }

    /// - Throws: what reading an object does.
    package func nextPart() throws(Refusal) -> Part {
        var bytes: [UInt8] = []
        while bytes.count < Self.partBytes {
            guard let line = try line(next) else {
                bytes += Self.text(["sha256": .string(ObjectHash.text(hash.finalize()))])
                return Part(text: String(decoding: bytes, as: UTF8.self), isLast: true)
            }
            next += 1
            hash.update(data: line)
            bytes += line
        }
        return Part(text: String(decoding: bytes, as: UTF8.self), isLast: false)
    }

    /// nil: only the hash of all lines comes behind.
    private func line(_ number: Int) throws(Refusal) -> [UInt8]? {
        if number == 0 { return Self.text(head) }
        if number <= hashes.count {
            let sha256 = hashes[number - 1]
            let base64 = Data(try object(sha256)).base64EncodedString()
            return Self.text(["object": ["sha256": .string(sha256), "base64": .string(base64)]])
        }
        let index = number - 1 - hashes.count
        return index < entries.count ? Self.text(["registration": entries[index].json]) : nil
    }

    private static func text(_ line: JSONValue) -> [UInt8] { line.utf8() + [UInt8(ascii: "\n")] }
}

extension RegistryKeeper {
    /// What is kept now, as an archive. An object whose last registration ends before it was written stops it, with EAGAIN.
    package func export() -> RegistryArchiveWriter {
        RegistryArchiveWriter(book) { [self] sha256 throws(Refusal) in
            guard book.uses(sha256) else {
                throw Refusal(
                    "busy", errno: 11, "the registry was changed while it was exported",
                    reason: "object \(sha256) has no registration any more", suggestion: "export it again")
            }
            return try object(sha256)
        }
    }
}
