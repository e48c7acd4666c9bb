import ControlAPI
import Foundation
import Glibc
import Testing

@testable import Registry

/// A small file system of its own, which can be full or read-only.
private final class SmallDisk {
    let path: String

    /// nil: mounting is not permitted here.
    init?(kibibytes: Int) {
        path = FileManager.default.temporaryDirectory.appending(path: "opsd-disk-\(UUID().uuidString)").path
        guard mkdir(path, 0o700) == 0 else { return nil }
        guard mount("none", path, "tmpfs", 0, "size=\(kibibytes)k") == 0 else {
            rmdir(path)
            return nil
        }
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        rmdir(path)
    }

    func remount(readOnly: Bool) -> Bool {
        mount("none", path, nil, UInt(MS_REMOUNT) | (readOnly ? UInt(MS_RDONLY) : 0), nil)
            == 0
    }

    /// Leaves no byte free.
    func fill() {
        let descriptor = Glibc.open(path + "/ballast", O_WRONLY | O_CREAT, 0o600)
        let block = [UInt8](repeating: 1, count: 512)
        while write(descriptor, block, block.count) > 0 {}
        close(descriptor)
    }

    func empty() { unlink(path + "/ballast") }
}

@Suite(
    "Registry on a disk that fails",
    .enabled(if: SmallDisk(kibibytes: 64) != nil, "mounting is not permitted"))
struct DiskTests {
    private func entries(_ disk: SmallDisk) throws -> [UInt32: RegistryEntry] {
        try RegistryStore(directory: disk.path + "/state").open().book.entries
    }

    @Test("a full disk refuses changes, loses nothing, and works again when there is room")
    func refusesOnAFullDisk() throws {
        let disk = try #require(SmallDisk(kibibytes: 1024))
        var expected = RegistryBook()
        do {
            let store = try RegistryStore(directory: disk.path + "/state")
            _ = try store.open()
            for id: UInt32 in 1...3 {
                let change = RegistryFixture.registering(
                    RegistryFixture.entry(id, object: Int(id)), object: Int(id))
                store.keep(change)
                expected.apply(change)
            }
            disk.fill()
            let refused = store.commit([
                RegistryFixture.registering(RegistryFixture.entry(4, object: 4), object: 4)
            ])[0]
            #expect(refused?.errno == Int(ENOSPC))
            #expect(refused?.reason?.isEmpty == false)
            #expect(store.verify().problems.isEmpty)
            disk.empty()
            let change = RegistryFixture.registering(RegistryFixture.entry(5, object: 5), object: 5)
            store.keep(change)
            expected.apply(change)
            #expect(store.verify().problems.isEmpty)
        }
        #expect(try entries(disk) == expected.entries)
    }

    @Test("a read-only disk refuses changes; what is there is still read, also by a daemon that starts on it")
    func refusesOnAReadOnlyDisk() throws {
        let disk = try #require(SmallDisk(kibibytes: 1024))
        let change = RegistryFixture.registering(RegistryFixture.entry(1, object: 1), object: 1)
        do {
            let store = try RegistryStore(directory: disk.path + "/state")
            _ = try store.open()
            store.keep(change)
        }
        #expect(disk.remount(readOnly: true))
        let store = try RegistryStore(directory: disk.path + "/state")
        let (book, report) = try store.open()
        #expect(book.entries.keys.sorted() == [1])
        #expect(report.readOnlyReason != nil)
        #expect(!report.hasLost)
        let next = RegistryFixture.registering(RegistryFixture.entry(2, object: 2), object: 2)
        #expect(store.commit([next])[0] != nil)
        #expect(store.verify().readOnly != nil)
        #expect(disk.remount(readOnly: false))
        store.keep(next)
        #expect(store.verify().problems.isEmpty)
        #expect(store.verify().readOnly == nil)
    }
}
