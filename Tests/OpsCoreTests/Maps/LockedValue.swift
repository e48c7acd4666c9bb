import BPF
import Verifier

@testable import OpsCore

/// `struct { u64 data; struct bpf_spin_lock lock; }` as the value of an array.
struct LockedValue {
    let btf: BTF
    var map: MapDescription

    init() throws {
        var builder = BTFBuilder()
        let u32 = builder.add(.int(BTFInt(name: "u32", byteCount: 4, bitCount: 32)))
        let u64 = builder.add(.int(BTFInt(name: "u64", byteCount: 8, bitCount: 64)))
        let lock = builder.add(
            .composite(
                BTFComposite(
                    name: "bpf_spin_lock", isUnion: false, byteCount: 4,
                    members: [BTFMember(name: "val", type: u32, bitOffset: 0)])))
        let value = builder.add(
            .composite(
                BTFComposite(
                    name: "value", isUnion: false, byteCount: 16,
                    members: [
                        BTFMember(name: "data", type: u64, bitOffset: 0),
                        BTFMember(name: "lock", type: lock, bitOffset: 64),
                    ])))
        btf = try builder.build()
        map = TestMap.array("locked", valueSize: 16, maxEntries: 2)
        map.valueType = value
    }
}
