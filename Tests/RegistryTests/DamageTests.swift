import ControlAPI
import Foundation
import Testing

@testable import Registry

/// The daemon stops at any moment, and the disk gives back less than was written.
@Suite("Registry after damage")
struct DamageTests {
    /// Registrations, updates and removals, some of them in the database and some in its log alone: as long as the store
    /// lives, the directory is as a daemon that is killed now would leave it.
    private func filled(_ fixture: RegistryFixture) throws -> (RegistryStore, RegistryBook) {
        let (store, start, _) = try fixture.open()
        var book = start
        func keep(_ change: RegistryChange) {
            store.keep(change)
            book.apply(change)
        }
        for number in 1...40 {
            let id = UInt32(number)
            keep(
                RegistryFixture.registering(
                    RegistryFixture.entry(id, object: number, link: number.isMultiple(of: 3) ? id : nil),
                    object: number))
            if number == 20 { try #require(store.database).checkpoint() }
        }
        for id: UInt32 in [2, 4, 21, 40] { keep(RegistryChange(removed: [id])) }
        // An update: another object takes over the link.
        var update = RegistryFixture.registering(
            RegistryFixture.entry(41, object: 41, link: 3), object: 41)
        update.removed = [3]
        keep(update)
        // A transient registration: no entry tells of its ids.
        var reservation = RegistryChange()
        reservation.reserved = (50, 45)
        keep(reservation)
        return (store, book)
    }

    private static let pageByteCount = 4096

    @Test("the database or its log, cut at any page", arguments: ["registry.db", "registry.db-wal"])
    func losesNothingToACut(name: String) throws {
        let fixture = try RegistryFixture()
        let (store, expected) = try filled(fixture)
        defer { withExtendedLifetime(store) {} }
        let size = try FileManager.default.attributesOfItem(atPath: fixture.path + "/" + name)[.size] as? Int
        let pages = try #require(size) / Self.pageByteCount
        #expect(pages > 3)
        for page in 0...pages {
            let (book, report) = try fixture.openedCopy { copy in
                let file = try FileHandle(forUpdating: copy.appending(path: name))
                try file.truncate(atOffset: UInt64(page * Self.pageByteCount))
                try file.close()
            }
            #expect(book.entries == expected.entries, "cut at page \(page)")
            #expect((book.lastID, book.lastLinkID) == (50, 45))
            #expect(!report.hasLost)
        }
    }

    @Test("the file of transient ids, cut anywhere: what is lost is told, and the rest of the ids is kept")
    func tellsOfLostIDs() throws {
        let fixture = try RegistryFixture()
        let (store, expected) = try filled(fixture)
        defer { withExtendedLifetime(store) {} }
        let bytes = try Data(contentsOf: fixture.folder.appending(path: ReservedIDs.fileName))
        // Without its last byte, the end of the line, it is whole.
        for count in 0..<bytes.count - 1 {
            let (book, report) = try fixture.openedCopy { copy in
                try bytes.prefix(count).write(to: copy.appending(path: ReservedIDs.fileName))
            }
            #expect(book.entries == expected.entries)
            #expect((book.lastID, book.lastLinkID) == (41, 39))
            #expect(report.hasLost && report.findings.contains { $0.contains("ids of transient") })
        }
    }

    @Test(
        "an object of a commit that failed is no loss where the database was put away for it",
        arguments: [false, true])
    func tellsLossesFromFailures(isDisowned: Bool) throws {
        let fixture = try RegistryFixture()
        let (store, expected) = try filled(fixture)
        defer { withExtendedLifetime(store) {} }
        let (book, report) = try fixture.openedCopy { copy in
            let database = copy.appending(path: RegistryDatabase.fileName)
            let new = copy.appending(path: isDisowned ? RegistryStore.disowned : "elsewhere")
            try FileManager.default.moveItem(at: database, to: new)
            try FileManager.default.removeItem(atPath: database.path + "-wal")
            let object = RegistryFixture.object(99)
            try Data(object).write(to: copy.appending(path: "objects/\(ObjectHash.of(object)).o"))
        }
        #expect(book.entries == expected.entries)
        #expect((book.lastID, book.lastLinkID) == (50, 45))
        #expect(report.hasLost != isDisowned)
        #expect(
            report.findings.contains { $0.contains("the database is \(isDisowned ? "put away" : "missing")") }
        )
    }

    @Test("any page of the database or its log, flipped", arguments: ["registry.db", "registry.db-wal"])
    func losesNothingToAFlip(name: String) throws {
        let fixture = try RegistryFixture()
        let (store, expected) = try filled(fixture)
        defer { withExtendedLifetime(store) {} }
        let original = try Data(contentsOf: fixture.folder.appending(path: name))
        for start in stride(from: 0, to: original.count, by: Self.pageByteCount) {
            let (book, report) = try fixture.openedCopy { copy in
                var data = original
                for offset in start..<min(start + Self.pageByteCount, data.count) { data[offset] ^= 0x5a }
                try data.write(to: copy.appending(path: name))
            }
            #expect(book.entries == expected.entries, "page at \(start)")
            #expect((book.lastID, book.lastLinkID) == (50, 45))
            #expect(!report.hasLost)
        }
    }

    @Test("single bytes of the database, flipped: what SQLite does not see, digests do")
    func losesNothingToAByte() throws {
        let fixture = try RegistryFixture()
        let (store, expected) = try filled(fixture)
        defer { withExtendedLifetime(store) {} }
        try #require(store.database).checkpoint()
        let original = try Data(contentsOf: fixture.folder.appending(path: "registry.db"))
        for offset in stride(from: 18, to: original.count, by: 509) {
            let (book, _) = try fixture.openedCopy { copy in
                var data = original
                data[offset] ^= 0x01
                try data.write(to: copy.appending(path: "registry.db"))
            }
            #expect(book.entries == expected.entries, "byte \(offset)")
        }
    }

    @Test func saysWhatIsLostWithAManifestAndTheDatabase() throws {
        let fixture = try RegistryFixture()
        let (store, expected) = try filled(fixture)
        defer { withExtendedLifetime(store) {} }
        let victim = ObjectHash.of(RegistryFixture.object(7))
        func damageManifest(_ copy: URL) throws {
            try Data("{}".utf8).write(to: copy.appending(path: "objects/\(victim).json"))
        }
        // The database still knows.
        let (whole, mended) = try fixture.openedCopy(damageManifest)
        #expect(whole.entries == expected.entries)
        #expect(!mended.hasLost)
        #expect(mended.findings.contains { $0.contains(victim) })

        let (rest, report) = try fixture.openedCopy { copy in
            try damageManifest(copy)
            try Data("no database".utf8).write(to: copy.appending(path: "registry.db"))
            try FileManager.default.removeItem(at: copy.appending(path: "registry.db-wal"))
        }
        #expect(report.hasLost)
        #expect(report.findings.contains { $0.hasPrefix("lost:") && $0.contains(victim) })
        #expect(rest.entries == expected.entries.filter { $0.key != 7 })
    }

    @Test("a crash in the very first commit leaves an object, and nothing is lost")
    func startsTheFirstCommitAgain() throws {
        let fixture = try RegistryFixture()
        let store = try fixture.open().store
        defer { withExtendedLifetime(store) {} }
        let object = RegistryFixture.object(1)
        func leaveObject(_ copy: URL) throws {
            try Data(object).write(to: copy.appending(path: "objects/\(ObjectHash.of(object)).o"))
        }
        let (book, report) = try fixture.openedCopy(leaveObject)
        #expect(book.entries.isEmpty)
        #expect(!report.hasLost && report.findings == [])

        let (_, unsure) = try fixture.openedCopy { copy in
            try leaveObject(copy)
            for name in ["registry.db", "registry.db-wal"] {
                try FileManager.default.removeItem(at: copy.appending(path: name))
            }
        }
        #expect(unsure.hasLost)
    }

    @Test("a crash between the database's commit and the manifests: the commit holds")
    func finishesACommit() throws {
        let fixture = try RegistryFixture()
        let (store, expected) = try filled(fixture)
        defer { withExtendedLifetime(store) {} }
        let old = ObjectHash.of(RegistryFixture.object(3)), new = ObjectHash.of(RegistryFixture.object(41))
        var before = expected
        before.apply(RegistryChange(put: [RegistryFixture.entry(3, object: 3, link: 3)], removed: [41]))
        let (book, report) = try fixture.openedCopy { copy in
            // As they were before the update, its drafts not yet renamed.
            let objects = copy.appending(path: "objects")
            try FileManager.default.moveItem(
                at: objects.appending(path: new + ".json"), to: objects.appending(path: new + ".json.new"))
            let stale = Manifest(
                generation: 1, lastID: 40, lastLinkID: 39, sha256: old,
                entries: before.entries(ofObject: old))
            try Data(stale.bytes).write(to: objects.appending(path: old + ".json"))
        }
        #expect(book.entries == expected.entries)
        #expect(!report.hasLost)
    }

    @Test("an update of which only one manifest is in place is whole, whichever it is")
    func halfAnUpdateIsNone() throws {
        let fixture = try RegistryFixture()
        let (store, expected) = try filled(fixture)
        defer { withExtendedLifetime(store) {} }
        let (book, _) = try fixture.openedCopy { copy in
            for name in ["registry.db", "registry.db-wal"] {
                try FileManager.default.removeItem(at: copy.appending(path: name))
            }
            let old = ObjectHash.of(RegistryFixture.object(3))
            let stale = Manifest(
                generation: 1, lastID: 40, lastLinkID: 39, sha256: old,
                entries: [RegistryFixture.entry(3, object: 3, link: 3)])
            try Data(stale.bytes).write(to: copy.appending(path: "objects/\(old).json"))
        }
        #expect(book.entries == expected.entries)
    }
}
