import BPF
import Verifier

/// Map descriptions for tests.
enum TestMap {
    static func array(_ name: String = "arr", valueSize: Int = 8, maxEntries: Int = 4) -> MapDescription {
        MapDescription(name: name, type: .array, keySize: 4, valueSize: valueSize, maxEntries: maxEntries)
    }
    static func percpu(_ name: String = "pcpu", valueSize: Int = 8, maxEntries: Int = 4) -> MapDescription {
        MapDescription(
            name: name, type: .percpuArray, keySize: 4, valueSize: valueSize, maxEntries: maxEntries)
    }
    static func hash(
        _ name: String = "h", keySize: Int = 4, valueSize: Int = 8, maxEntries: Int = 16, flags: UInt32 = 0
    ) -> MapDescription {
        MapDescription(
            name: name, type: .hash, keySize: keySize, valueSize: valueSize, maxEntries: maxEntries,
            flags: flags)
    }
    static func storage(_ name: String = "sks", valueSize: Int = 8) -> MapDescription {
        MapDescription(
            name: name, type: .skStorage, keySize: 4, valueSize: valueSize, maxEntries: 0, flags: 1,
            valueType: TypeID(1), keyType: TypeID(1))
    }
}
