import ControlAPI
import Foundation
import Testing

@testable import Registry

/// Documents beside the registry, each a file of its own.
@Suite("Records") struct RecordFolderTests {
    private let fixture: RegistryFixture
    private var folder: RecordFolder { RecordFolder(directory: fixture.path, name: "runs") }
    private var directory: URL { fixture.folder.appending(path: "runs") }

    init() throws { fixture = try RegistryFixture() }

    private func body(_ number: UInt32) -> [UInt8] { Array("body \(number)\nof two lines".utf8) }

    private func put(_ numbers: UInt32..., in folder: RecordFolder) throws {
        for number in numbers {
            try folder.put(number, ["name": .string("\(number)"), "end": .double(0.1)], body: body(number))
        }
    }

    @Test func comeBackByNumber() throws {
        let folder = folder
        _ = folder.open()
        try put(10, 9, 2, in: folder)
        try folder.put(9, ["name": "other"], body: [])
        folder.remove([2])
        try Data().write(to: directory.appending(path: "11.new"))
        let contents = self.folder.open()
        #expect(contents.records.map(\.number) == [9, 10] && contents.highest == 10)
        #expect(contents.records.map { $0.header["name"]?.string } == ["other", "10"])
        #expect(contents.records.map(\.bodyByteCount) == [0, body(10).count])
        #expect(contents.findings == [])
        #expect(try folder.body(10) == body(10) && folder.body(9) == [])
        #expect(throws: Refusal.self) { try folder.body(2) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["10", "9"])
    }

    @Test func aHeaderMayBeLong() throws {
        let folder = folder
        _ = folder.open()
        let long = String(repeating: "x", count: 200_000)
        try folder.put(1, ["text": .string(long)], body: body(1))
        #expect(self.folder.open().records.first?.header["text"]?.string == long)
        #expect(try folder.body(1) == body(1))
    }

    @Test("one that is cut or changed anywhere is told from a sound one, and costs itself only")
    func damage() throws {
        let folder = folder
        _ = folder.open()
        try put(1, 2, in: folder)
        let sound = try Data(contentsOf: directory.appending(path: "1"))
        for index in sound.indices {
            var flipped = sound
            flipped[index] ^= 0x20
            for damaged in [sound.prefix(index), flipped] {
                try damaged.write(to: directory.appending(path: "1"))
                let contents = self.folder.open()
                #expect(contents.records.contains { $0.number == 2 } && contents.highest == 2)
                let record = contents.records.first { $0.number == 1 }
                #expect((record == nil) == (contents.findings.count == 1))
                if let record {
                    // The header is as it was, and the body not to be had, or the damage was to neither.
                    #expect(record.header["name"] == "1")
                    if let found = try? folder.body(1) { #expect(found == body(1)) }
                } else {
                    #expect(FileManager.default.fileExists(atPath: fixture.path + "/damaged/runs-1"))
                }
            }
        }
        #expect(try folder.body(2) == body(2))
    }

    @Test("what is put aside is not written over by what is put aside later")
    func putAsideTwice() throws {
        for text in ["first", "second"] {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: directory.appending(path: "1"))
            #expect(folder.open().findings.count == 1)
        }
        let texts = try ["runs-1", "runs-1.2"].map {
            try String(contentsOfFile: fixture.path + "/damaged/" + $0, encoding: .utf8)
        }
        #expect(texts == ["first", "second"])
    }

    @Test("what could not be listed at the start is not written over")
    func unlisted() throws {
        try Data("no folder".utf8).write(to: directory)
        let folder = folder
        #expect(folder.open().findings.count == 1)
        #expect(throws: Refusal.self) { try put(1, in: folder) }
        // What was there all the time.
        try FileManager.default.removeItem(at: directory)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
        try Data().write(to: directory.appending(path: "1"))
        #expect(throws: Refusal.self) { try put(1, in: folder) }
        try FileManager.default.removeItem(at: directory.appending(path: "1"))
        try put(1, in: folder)
        #expect(try folder.body(1) == body(1))
    }
}
