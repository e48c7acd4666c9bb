import BPF
import Synchronization

/// What, beside the file itself, makes two loads of an object the same to the verifier and the compiler.
struct PreparedKey: Hashable, Sendable {
    /// As asked for; nil: the default.
    var profile: String?
    /// How many subsystems there are to choose the target from: they are only ever added.
    var subsystemCount: Int
    var kconfig: [String: String]
    /// `.rodata` values are constants in the code; the others do no harm here.
    var globals: [String: [UInt8]]
    /// Wanted struct_ops variables; nil: automatic.
    var maps: Set<String>?
    var keepsGoing: Bool
}

/// Verified and compiled objects, the latest used last, for loads that ask for the same again.
///
/// Files are compared byte by byte: that takes a tenth of the time of a digest, and only files are looked at whose
/// `FileSum` agrees, else the builds of one program, which differ in a few bytes somewhere, would all be read each time.
final class ObjectCache: Sendable {
    private struct Entry {
        var key: PreparedKey
        var sum: FileSum
        var object: PreparedObject

        func isFor(_ key: PreparedKey, _ sum: FileSum, _ file: [UInt8]) -> Bool {
            self.sum == sum && self.key == key && hasSameBytes(object.image, file)
        }
    }

    private let countMax: Int
    private let entries = Mutex<[Entry]>([])

    init(countMax: Int) { self.countMax = countMax }

    /// - Parameter sum: of `file`.
    func find(_ key: PreparedKey, _ file: [UInt8], _ sum: FileSum) -> PreparedObject? {
        entries.withLock { entries in
            guard let index = entries.firstIndex(where: { $0.isFor(key, sum, file) }) else { return nil }
            let entry = entries.remove(at: index)
            entries.append(entry)
            return entry.object
        }
    }

    /// If two threads prepared the same at once, the first one's stays.
    /// - Parameter sum: of the object's file.
    func insert(_ object: PreparedObject, for key: PreparedKey, _ sum: FileSum) {
        guard countMax > 0 else { return }
        entries.withLock { entries in
            guard !entries.contains(where: { $0.isFor(key, sum, object.image) }) else { return }
            if entries.count >= countMax { entries.removeFirst() }
            entries.append(Entry(key: key, sum: sum, object: object))
        }
    }

    func removeAll() { entries.withLock { $0 = [] } }
    var count: Int { entries.withLock { $0.count } }
}

/// What tells files apart in one pass over their bytes, several times as fast as a comparison with each would be. Whoever
/// wants to can make files that agree in it: they are compared then.
struct FileSum: Equatable {
    private let byteCount: Int
    private let sum: SIMD4<UInt64>
    /// Of the sums on the way: other places, other sum.
    private let sumOfSums: SIMD4<UInt64>

    init(of file: [UInt8]) {
        var sum = SIMD4<UInt64>(), sumOfSums = SIMD4<UInt64>()
        unsafe file.withUnsafeBytes { bytes in
            // SAFETY: `offset + 32` is at most the number of bytes.
            var offset = 0
            while offset <= bytes.count - 32 {
                sum &+= unsafe bytes.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
                sumOfSums &+= sum
                offset += 32
            }
            while offset < bytes.count {
                sum[0] &+= UInt64(unsafe bytes[offset])
                sumOfSums &+= sum
                offset += 1
            }
        }
        byteCount = file.count
        self.sum = sum
        self.sumOfSums = sumOfSums
    }
}
