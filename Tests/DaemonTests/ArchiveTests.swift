import ControlAPI
import Crypto
import Foundation
import Testing

/// `opsctl registry`: out, in again, and a look at what is kept.
@Suite("Archive", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct ArchiveTests {
    @Test func exportsAndImportsEverything() throws {
        let first = try Sandbox(), second = try Sandbox()
        try first.start("--state-dir", first.folder.appending(path: "state").path)
        #expect(try first.opsctl("register", try Example.cubic.get()).status == 0)
        // So large that the archive comes in parts.
        let large = try Data(contentsOf: URL(filePath: Example.reno.get())) + Data(count: 3 << 20)
        let reno = first.folder.appending(path: "large.bpf.o")
        try large.write(to: reno)
        #expect(try first.opsctl("register", reno.path).status == 0)
        #expect(try first.opsctl("unregister", "name", "cubic").status == 0)
        #expect(try first.opsctl("register", try Example.cubic.get()).status == 0)
        let listed = try first.opsctl("-j", "show").stdout
        let file = first.folder.appending(path: "archive").path
        #expect(try first.opsctl("registry", "export", file).status == 0)
        let bytes = try Data(contentsOf: URL(filePath: file))
        #expect(try first.opsctl("registry", "export", file).status == 0)
        #expect(try Data(contentsOf: URL(filePath: file)) == bytes)

        let state = second.folder.appending(path: "state").path
        try second.start("--state-dir", state)
        let imported = try second.opsctl("registry", "import", file)
        #expect(imported.status == 0, Comment(rawValue: imported.stderr))
        #expect(try second.opsctl("-j", "show").stdout == listed)
        #expect(try second.opsctl("registry", "export", file).status == 0)
        #expect(try Data(contentsOf: URL(filePath: file)) == bytes)
        #expect(try second.opsctl("registry", "verify").status == 0)
        second.stop()
        try second.start("--state-dir", state)
        #expect(try second.opsctl("-j", "show").stdout == listed)

        // Its ids are taken now.
        let again = try second.opsctl("registry", "import", file)
        #expect(again.status == 1)
        #expect(again.stderr.contains("belongs to"))
        #expect(try second.opsctl("-j", "show").stdout == listed)
    }

    @Test("a large archive comes in parts, all or nothing")
    func importsInParts() throws {
        let source = try Sandbox(), target = try Sandbox()
        try source.start()
        #expect(try source.opsctl("register", try Example.reno.get()).status == 0)
        let listed = try source.opsctl("-j", "show").stdout
        let file = source.folder.appending(path: "archive").path
        #expect(try source.opsctl("registry", "export", file).status == 0)
        // An object that nothing uses is read and checked like others.
        let filler = Data(repeating: 1, count: ArchiveParameters.partBytes * 4 / 5)
        var lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").map(String.init)
        lines[0] = lines[0].replacing("\"objects\":1,", with: "\"objects\":2,")
        lines.insert(
            "{\"object\":{\"sha256\":\"\(hash(filler))\",\"base64\":\"\(filler.base64EncodedString())\"}}",
            at: 1)
        var archive = Data((lines.dropLast().joined(separator: "\n") + "\n").utf8)
        archive += Data("{\"sha256\":\"\(hash(archive))\"}\n".utf8)
        try #require(archive.count > ArchiveParameters.partBytes)

        try target.start("--state-dir", target.folder.appending(path: "state").path)
        try archive.dropLast(100).write(to: URL(filePath: file))
        let cut = try target.opsctl("registry", "import", file)
        #expect(cut.status == 1 && cut.stderr.contains("cut or was changed"), "\(cut.stderr)")
        #expect((try target.opsctl("-j", "show").json()["result"] as? [Any])?.isEmpty == true)
        try archive.write(to: URL(filePath: file))
        let imported = try target.opsctl("registry", "import", file)
        #expect(imported.status == 0, "\(imported.stderr)")
        #expect(try target.opsctl("-j", "show").stdout == listed)
    }

    private func hash(_ bytes: Data) -> String {
        SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
    }

    @Test("all or nothing: a later part that is refused takes back the earlier ones")
    func importsNothingOfABadArchive() throws {
        let source = try Sandbox(), target = try Sandbox()
        try source.start()
        #expect(try source.opsctl("register", try Example.reno.get()).status == 0)
        #expect(try source.opsctl("register", try Example.cubic.get()).status == 0)
        let file = source.folder.appending(path: "archive").path
        #expect(try source.opsctl("registry", "export", file).status == 0)

        // Its ops name is taken, under an id that the archive does not have: only the runtime sees that.
        try target.start("--state-dir", target.folder.appending(path: "state").path)
        for _ in 0..<5 {
            #expect(try target.opsctl("register", try Example.cubic.get()).status == 0)
            #expect(try target.opsctl("unregister", "name", "cubic").status == 0)
        }
        #expect(try target.opsctl("register", try Example.cubic.get()).status == 0)
        let listed = try target.opsctl("-j", "show").stdout
        let refused = try target.opsctl("registry", "import", file)
        #expect(refused.status == 1)
        #expect(refused.stderr.contains("bpf_cubic"))
        #expect(try target.opsctl("-j", "show").stdout == listed)
        #expect(try target.opsctl("registry", "verify").status == 0)

        // Cut, and changed.
        let bytes = try Data(contentsOf: URL(filePath: file))
        for damaged in [bytes.dropLast(100), bytes.prefix(200) + Data("x".utf8) + bytes.dropFirst(201)] {
            try Data(damaged).write(to: URL(filePath: file))
            let refused = try target.opsctl("registry", "import", file)
            #expect(refused.status == 1)
            #expect(refused.stderr.contains("no registry archive"))
        }
        #expect(try target.opsctl("-j", "show").stdout == listed)
    }

    @Test func saysWhatWasMendedAndWhatIsWrong() throws {
        let sandbox = try Sandbox()
        let state = sandbox.folder.appending(path: "state")
        try sandbox.start("--state-dir", state.path)
        #expect(try sandbox.opsctl("register", try Example.cubic.get()).status == 0)
        let listed = try sandbox.opsctl("-j", "show").stdout
        sandbox.stop()
        try Data("no database".utf8).write(to: state.appending(path: "registry.db"))
        try sandbox.start("--state-dir", state.path)
        #expect(try sandbox.opsctl("-j", "show").stdout == listed)
        let mended = try sandbox.opsctl("registry", "verify")
        #expect(mended.status == 0)
        #expect(mended.stdout.contains("rebuilt from the manifests"))
        #expect(sandbox.log.contains("rebuilt from the manifests"))

        let objects = state.appending(path: "objects")
        for name in try FileManager.default.contentsOfDirectory(atPath: objects.path) {
            try FileManager.default.removeItem(at: objects.appending(path: name))
        }
        let wrong = try sandbox.opsctl("-j", "registry", "verify")
        #expect(wrong.status == 1)
        let result = try wrong.json()["result"] as? [String: Any]
        #expect((result?["problems"] as? [String])?.count == 2)
    }
}
