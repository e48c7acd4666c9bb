import ControlAPI
import Testing

@testable import Registry

/// Archives that come in parts.
@Suite("Archive in parts") struct RegistryArchiveReaderTests {
    @Test("cut anywhere, it is read like the whole, and a part alone is refused")
    func isReadWhereverItWasCut() throws {
        var book = RegistryBook()
        let entries = [RegistryFixture.entry(3, object: 1, link: 2), RegistryFixture.entry(7, object: 2)]
        book.apply(RegistryChange(put: entries))
        let objects = [1, 2].map(RegistryFixture.object)
        let bytes = try RegistryArchive.write(book) { hash throws(Refusal) in
            objects.first { ObjectHash.of($0) == hash } ?? []
        }
        let text = String(decoding: bytes, as: UTF8.self)
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
}
