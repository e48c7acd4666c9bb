import Foundation
import Testing

/// The daemon over a state directory that has lost something. Every page of both files is cut and flipped in
/// `RegistryTests`; here is what an operator sees of it.
@Suite(
    "Damaged state", .enabled(if: Example.clang != nil, "no clang with a bpf target"),
    .timeLimit(.minutes(30)))
struct DamagedStateTests {
    /// A directory as a killed daemon leaves it, with two registrations.
    private func filled() throws -> (Sandbox, state: URL, shown: String) {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state")
        try sandbox.start("--state-dir", state.path)
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        #expect(try sandbox.opsctl("register", try Example.reno.get()).status == 0)
        let shown = try sandbox.opsctl("-j", "show").stdout
        kill(try #require(sandbox.daemon).processIdentifier, SIGKILL)
        sandbox.daemon?.waitUntilExit()
        return (sandbox, state, shown)
    }

    private func cut(_ file: URL, to byteCount: UInt64) throws {
        let handle = try FileHandle(forUpdating: file)
        try handle.truncate(atOffset: byteCount)
        try handle.close()
    }

    @Test(
        "a database or a log that is cut is mended from the manifests, and the journal says so",
        arguments: [
            ("registry.db", 0), ("registry.db", 1), ("registry.db", 2), ("registry.db-wal", 0),
            ("registry.db-wal", 1), ("registry.db-wal", 3),
        ])
    func isRebuiltFromManifests(name: String, pages: Int) throws {
        let (sandbox, state, shown) = try filled()
        try cut(state.appending(path: name), to: UInt64(pages) * 4096)
        try sandbox.start("--state-dir", state.path)
        #expect(try sandbox.opsctl("-j", "show").stdout == shown)
        let verified = try sandbox.opsctl("registry", "verify")
        #expect(verified.status == 0, "\(verified.stdout)")
        #expect(sandbox.log.contains("state directory: the database"), "\(sandbox.log)")
        #expect(!sandbox.log.contains("lost:"))
    }

    @Test("what is gone from the database and from its manifest is lost, and named; the rest is in use")
    func namesWhatIsLost() throws {
        let (sandbox, state, _) = try filled()
        let objects = state.appending(path: "objects")
        let victim = try #require(
            try FileManager.default.contentsOfDirectory(atPath: objects.path).sorted().first {
                $0.hasSuffix(".json")
            })
        try cut(state.appending(path: "registry.db"), to: 0)
        try cut(state.appending(path: "registry.db-wal"), to: 0)
        try cut(objects.appending(path: victim), to: 20)
        try sandbox.start("--state-dir", state.path)
        let left = try sandbox.opsctl("-j", "show").json()["result"] as? [[String: Any]] ?? []
        #expect(left.count == 1)
        #expect(left.first?["state"] as? String == "INUSE")
        let sha256 = victim.dropLast(".json".count)
        #expect(sandbox.log.contains("lost: the registrations of object \(sha256)"))
        let verified = try sandbox.opsctl("registry", "verify")
        #expect(verified.status == 1)
        #expect(verified.stdout.contains("lost: the registrations of object \(sha256)"))
        // Its object is kept, for whoever knows what it was registered as.
        #expect(FileManager.default.fileExists(atPath: state.path + "/damaged/\(sha256).o"))
    }
}
