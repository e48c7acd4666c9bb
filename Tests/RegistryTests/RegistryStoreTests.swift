import ControlAPI
import Foundation
import GRDB
import Testing

@testable import Registry

@Suite("Registry in a state directory")
struct RegistryStoreTests {
    @Test func whatIsCommittedIsThereAfterwards() throws {
        let fixture = try RegistryFixture()
        var expected: RegistryBook
        do {
            let (store, book, report) = try fixture.open()
            #expect(book.count == 0)
            #expect(report == RecoveryReport())
            expected = book
            for change in [
                RegistryFixture.registering(
                    RegistryFixture.entry(3, object: 1), RegistryFixture.entry(4, object: 1, link: 1),
                    object: 1),
                RegistryFixture.registering(RegistryFixture.entry(6, object: 2), object: 2),
                RegistryChange(removed: [6]),
                RegistryFixture.registering(RegistryFixture.entry(8, object: 3, link: 1), object: 3),
                RegistryChange(removed: [4]),
            ] {
                store.keep(change)
                expected.apply(change)
            }
        }
        let (store, book, report) = try fixture.open()
        #expect(book == expected)
        #expect(report == RecoveryReport())
        #expect(book.lastID == 8)
        #expect(try store.object(ObjectHash.of(RegistryFixture.object(1))) == RegistryFixture.object(1))
        #expect(throws: Refusal.self) { try store.object(ObjectHash.of(RegistryFixture.object(2))) }
    }

    @Test("ids are not given out again, whatever has been removed and lost")
    func remembersTheHighestIDs() throws {
        let fixture = try RegistryFixture()
        do {
            let (store, _, _) = try fixture.open()
            store.keep(RegistryFixture.registering(RegistryFixture.entry(1, object: 1), object: 1))
            store.keep(RegistryFixture.registering(RegistryFixture.entry(7, object: 2, link: 5), object: 2))
            store.keep(RegistryChange(removed: [7]))
            store.keep(RegistryChange(removed: [1]))
        }
        for _ in 0..<2 {
            let (_, book, _) = try fixture.open()
            #expect(book.count == 0)
            #expect((book.lastID, book.lastLinkID) == (7, 5))
        }
        let (book, _) = try fixture.openedCopy { copy in
            for name in ["registry.db", "registry.db-wal"] {
                try? FileManager.default.removeItem(at: copy.appending(path: name))
            }
        }
        #expect(book.count == 0)
        #expect((book.lastID, book.lastLinkID) == (7, 5))
    }

    @Test func keepsFailureQuarantineAndOwner() throws {
        let fixture = try RegistryFixture()
        var entry = RegistryFixture.entry(2, object: 1)
        do {
            let (store, book, _) = try fixture.open()
            store.keep(RegistryFixture.registering(entry, object: 1))
            var live = book
            live.apply(RegistryChange(put: [entry]))
            entry = try #require(live.failing(2, reason: "it \"crashed\"\n", isQuarantined: true))
            store.keep(RegistryChange(put: [entry]))
        }
        #expect(try fixture.open().book.entries[2] == entry)
        #expect(entry.asFailed.state == "FAILED")
        #expect(entry.uid == 1000)
    }

    @Test("changes that are committed together fail each by itself")
    func refusesAnObjectThatIsNotWhatItIsCalled() throws {
        let fixture = try RegistryFixture()
        do {
            let (store, _, _) = try fixture.open()
            let good = RegistryFixture.registering(RegistryFixture.entry(1, object: 1), object: 1)
            var bad = RegistryFixture.registering(RegistryFixture.entry(2, object: 2), object: 2)
            bad.objects = bad.objects.mapValues { $0 + [0] }
            let results = store.commit([bad, good])
            #expect(results.map { $0 == nil } == [false, true])
        }
        #expect(try fixture.open().book.entries.keys.sorted() == [1])
    }

    @Test func isUsedByOneAtATime() throws {
        let fixture = try RegistryFixture()
        let (store, _, _) = try fixture.open()
        let refusal = #expect(throws: Refusal.self) { try RegistryStore(directory: fixture.path) }
        #expect(refusal?.reason == "another opsd uses it")
        withExtendedLifetime(store) {}
    }

    @Test func opensADatabaseOfVersion1() throws {
        let fixture = try RegistryFixture()
        let entry = RegistryFixture.entry(5, object: 1)
        do {
            let (store, _, _) = try fixture.open()
            store.keep(RegistryFixture.registering(entry, object: 1))
        }
        // As version 1 left it: without what later versions have added, and without their names.
        let database = try DatabaseQueue(path: fixture.path + "/registry.db")
        try database.write { db in
            try db.execute(sql: "DROP TABLE restoring")
            try db.execute(sql: "DELETE FROM grdb_migrations WHERE identifier <> '1'")
        }
        try database.close()
        let (store, book, report) = try fixture.open()
        #expect(book.entries == [5: entry])
        #expect(report == RecoveryReport())
        store.markRestoring([5: 1], ended: [])
        #expect(try #require(store.database).marks() == [5: 1])
    }

    @Test func leavesADatabaseOfALaterVersionAlone() throws {
        let fixture = try RegistryFixture()
        do { _ = try fixture.open() }
        let database = try DatabaseQueue(path: fixture.path + "/registry.db")
        try database.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99')") }
        try database.close()
        let refusal = #expect(throws: Refusal.self) { try fixture.open() }
        #expect(refusal?.reason?.contains("later version") == true)
        #expect(!FileManager.default.fileExists(atPath: fixture.path + "/damaged"))
    }

    @Test("the list that was kept before there was a database is taken over")
    func takesOverTheOldList() throws {
        let fixture = try RegistryFixture()
        let sha256 = ObjectHash.of(RegistryFixture.object(1))
        let list = """
            {"version": 1, "last_id": 9, "registrations": [{"id": 4, "name": "a", "kernel_struct_ops":
            "tcp_congestion_ops", "ops_name": "bpf_a", "state": "INUSE", "refs": 1, "link_id": null,
            "object_sha256": "\(sha256)", "variable": "a", "file": "a.o"}]}
            """
        try Data(list.utf8).write(to: fixture.folder.appending(path: "registry.json"))
        let objects = fixture.folder.appending(path: "objects")
        try FileManager.default.createDirectory(at: objects, withIntermediateDirectories: true)
        try Data(RegistryFixture.object(1)).write(to: objects.appending(path: sha256 + ".o"))
        for isFirst in [true, false] {
            let (store, book, report) = try fixture.open()
            #expect(book.entries[4]?.file == "a.o")
            #expect(book.lastID == 9)
            #expect(report.findings.count == (isFirst ? 1 : 0))
            #expect(!report.hasLost)
            #expect(try store.object(sha256) == RegistryFixture.object(1))
            #expect(!FileManager.default.fileExists(atPath: fixture.path + "/registry.json"))
        }
    }
}
