package import ControlAPI
import Netsim
import OpsCore
import OpsHost

/// All bytes that a sweep's results depend on. A database carries them, so that it alone is enough to go on with.
package struct SweepInputs: Equatable, Sendable {
    package enum Kind: String, Sendable { case sweep, scenario, object }

    package struct File: Equatable, Sendable {
        package var kind: Kind
        package var name: String
        package var bytes: [UInt8]
        package let sha256: String

        package init(_ kind: Kind, name: String, bytes: [UInt8]) {
            (self.kind, self.name, self.bytes) = (kind, name, bytes)
            sha256 = sha256Hex(bytes)
        }
    }

    /// Sorted by kind and name, the sweep file among them.
    package let files: [File]

    package init(_ files: [File]) {
        self.files = files.sorted { ($0.kind.rawValue, $0.name) < ($1.kind.rawValue, $1.name) }
    }

    /// Reads a sweep and all that it needs.
    ///
    /// - Parameters:
    ///   - load: the text of a file that it names: its scenario, or a trace, by its name relative to the sweep file.
    ///   - objects: name and bytes of each.
    package static func read(
        _ text: String, file: String, objects: [(name: String, bytes: [UInt8])],
        load: @escaping @Sendable (String) -> String?
    ) throws(Refusal) -> (SweepInputs, Sweep) {
        let files = SweepFiles(load: load)
        let sweep = try refusing { () throws(OpsError) in try Sweep(text, file: file, files: files) }
        let inputs = SweepInputs(
            [File(.sweep, name: file, bytes: Array(text.utf8))]
                + files.used.map { File(.scenario, name: $0.key, bytes: Array($0.value.utf8)) }
                + objects.map { File(.object, name: $0.name, bytes: $0.bytes) })
        return (inputs, sweep)
    }

    /// The sweep that they describe.
    package func sweep() throws(Refusal) -> Sweep {
        guard let file = files.first(where: { $0.kind == .sweep }) else {
            throw Refusal("database", errno: 22, "there is no sweep file in it")
        }
        let texts = files.filter { $0.kind == .scenario }.map { ($0.name, Self.text($0)) }
        let known = SweepFiles(Dictionary(texts, uniquingKeysWith: { first, _ in first }))
        return try refusing { () throws(OpsError) in
            try Sweep(Self.text(file), file: file.name, files: known)
        }
    }

    private static func text(_ file: File) -> String { String(decoding: file.bytes, as: UTF8.self) }

    package var objects: [File] { files.filter { $0.kind == .object } }

    /// What is not the same in `other`, by name; empty if nothing.
    package func differences(from other: SweepInputs) -> [String] {
        func byName(_ inputs: SweepInputs) -> [String: String] {
            Dictionary(
                inputs.files.map { ("\($0.kind.rawValue) \($0.name)", $0.sha256) },
                uniquingKeysWith: { first, _ in first })
        }
        let (mine, theirs) = (byName(self), byName(other))
        return Set(mine.keys).union(theirs.keys).filter { mine[$0] != theirs[$0] }.sorted()
    }

    /// One hash over all names and hashes.
    package var sha256: String {
        sha256Hex(Array(files.map { "\($0.kind.rawValue) \($0.name) \($0.sha256)\n" }.joined().utf8))
    }
}
