import ControlAPI
import Foundation
import Testing

@testable import Registry

/// A state directory of its own, and changes to put into it.
final class RegistryFixture {
    let folder: URL
    var path: String { folder.path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "opsd-registry-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// A store over the directory, opened. The one before must have gone.
    func open() throws -> (store: RegistryStore, book: RegistryBook, report: RecoveryReport) {
        let store = try RegistryStore(directory: path)
        let (book, report) = try store.open()
        return (store, book, report)
    }

    /// What a directory of the same content, as it is now, would be opened as.
    func openedCopy(_ damage: (URL) throws -> Void = { _ in }) throws -> (
        book: RegistryBook, report: RecoveryReport
    ) {
        let copy = FileManager.default.temporaryDirectory.appending(path: "opsd-copy-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: folder, to: copy)
        defer { try? FileManager.default.removeItem(at: copy) }
        try damage(copy)
        let store = try RegistryStore(directory: copy.path)
        return try store.open()
    }

    static func object(_ number: Int) -> [UInt8] { Array("object \(number)".utf8) }

    static func entry(_ id: UInt32, object number: Int, link: UInt32? = nil, name: String? = nil)
        -> RegistryEntry
    {
        let name = name ?? "ops\(id)"
        return RegistryEntry(
            Registration(
                id: id, name: name, kernelStructOps: "tcp_congestion_ops", opsName: "bpf_\(name)",
                state: link == nil ? "INUSE" : "READY", refs: 0, linkID: link,
                objectSha256: ObjectHash.of(object(number)), variable: name),
            uid: 1000, file: "object\(number).bpf.o")
    }

    static func registering(_ entries: RegistryEntry..., object number: Int) -> RegistryChange {
        RegistryChange(put: entries, objects: [ObjectHash.of(object(number)): object(number)])
    }
}

extension RegistryStore {
    /// One change that must be kept.
    func keep(_ change: RegistryChange, _ location: SourceLocation = #_sourceLocation) {
        let refusal = commit([change])[0]
        #expect(refusal == nil, sourceLocation: location)
    }
}
