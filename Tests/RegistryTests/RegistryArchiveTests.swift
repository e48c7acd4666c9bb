import ControlAPI
import Testing

@testable import Registry

/// Archives that come in parts.
@Suite("Archive in parts") struct RegistryArchiveTests {
    @Test("cut anywhere, it is read like the whole, and a part alone is refused")
    func isReadWhereverItWasCut() throws {
        var book = RegistryBook()
        let entries = [RegistryFixture.entry(3, object: 1, link: 2), RegistryFixture.entry(7, object: 2)]
        book.apply(RegistryChange(put: entries))
        let objects = [1, 2].map(RegistryFixture.object)
        let writer = RegistryArchiveWriter(book) { hash throws(Refusal) in
            objects.first { ObjectHash.of($0) == hash } ?? []
        }
        let text = try writer.nextPart().text
        for cut in text.indices {
            let reader = RegistryArchiveReader()
            try reader.add(String(text[..<cut]))
            try reader.add(String(text[cut...]))
            let archive = try reader.finish()
            #expect(archive.entries == entries && archive.objects.count == 2 && archive.lastID == 7)
            guard cut < text.index(before: text.endIndex) else { continue }
            #expect(throws: Refusal.self) {
                let reader = RegistryArchiveReader()
                try reader.add(String(text[..<cut]))
                _ = try reader.finish()
            }
        }
    }

    @Test("written in parts while others register; an object that goes before its turn stops it")
    func isWrittenAsItWas() throws {
        let keeper = MemoryKeeper()
        let objects = (0..<3).map { [UInt8](repeating: UInt8($0), count: RegistryArchiveWriter.partBytes) }
        func entry(_ id: UInt32) -> RegistryEntry {
            var entry = RegistryFixture.entry(id, object: 0)
            entry.registration.objectSha256 = ObjectHash.of(objects[Int(id) - 1])
            return entry
        }
        func register(_ id: UInt32) {
            let object = objects[Int(id) - 1]
            _ = keeper.commit([RegistryChange(put: [entry(id)], objects: [ObjectHash.of(object): object])])
        }
        register(1)
        register(2)
        let (whole, stopped) = (keeper.export(), keeper.export())
        register(3)

        let reader = RegistryArchiveReader()
        var parts = [try whole.nextPart()]
        while !parts[parts.count - 1].isLast { parts.append(try whole.nextPart()) }
        #expect(parts.count == 3)
        for part in parts { try reader.add(part.text) }
        #expect(try reader.finish().entries == [entry(1), entry(2)])

        _ = try stopped.nextPart()
        _ = keeper.commit([RegistryChange(removed: [1, 2])])
        let refusal = #expect(throws: Refusal.self) { try stopped.nextPart() }
        #expect(refusal?.errno == 11 && refusal?.suggestion != nil)
    }
}
