import BPF
import CShim
import Glibc
import JIT
import Testing
import Verifier

@testable import OpsCore

@Suite("Maps") struct MapTests {
    static func key(_ position: UInt32) -> [UInt8] { ArrayKey.bytes(position) }

    @Test("arrays: every element is there, none can be deleted")
    func array() throws {
        let map = try Instance(maps: [TestMap.array(valueSize: 3, maxEntries: 2)]).maps[0]
        #expect(try map.lookup(Self.key(1)) == [0, 0, 0])
        try map.update(Self.key(1), [1, 2, 3])
        #expect(try map.lookup(Self.key(1)) == [1, 2, 3])
        #expect(try map.lookup(Self.key(0)) == [0, 0, 0])
        #expect(errno { () throws(OpsError) in _ = try map.lookup(Self.key(2)) } == ENOENT)
        #expect(errno { () throws(OpsError) in try map.update(Self.key(2), [1, 2, 3]) } == E2BIG)
        #expect(errno { () throws(OpsError) in try map.update(Self.key(0), [1, 2, 3], flags: 1) } == EEXIST)
        #expect(errno { () throws(OpsError) in try map.update(Self.key(0), [1, 2, 3], flags: 2) } == 0)
        #expect(errno { () throws(OpsError) in try map.update(Self.key(0), [1, 2, 3], flags: 3) } == EINVAL)
        #expect(errno { () throws(OpsError) in try map.update(Self.key(0), [1, 2, 3], flags: 4) } == EINVAL)
        #expect(errno { () throws(OpsError) in try map.delete(Self.key(0)) } == EINVAL)
        #expect(errno { () throws(OpsError) in try map.update(Self.key(0), [1]) } == EINVAL)
        #expect(errno { () throws(OpsError) in _ = try map.lookup([0]) } == EINVAL)
        #expect(try map.nextKey(after: nil) == Self.key(0))
        #expect(try map.nextKey(after: Self.key(0)) == Self.key(1))
        #expect(try map.nextKey(after: Self.key(7)) == Self.key(0))
        #expect(errno { () throws(OpsError) in _ = try map.nextKey(after: Self.key(1)) } == ENOENT)
        #expect(try map.elements().count == 2)
        #expect(map.memoryCharge == 16)
    }

    @Test("per-CPU arrays: a program sees its CPU's value, user space sees all")
    func percpu() throws {
        var configuration = Instance.Configuration()
        configuration.cpus = 3
        let instance = try Instance(
            maps: [TestMap.percpu(valueSize: 4, maxEntries: 2)], configuration: configuration)
        let map = instance.maps[0]
        let key = Self.key(1)
        key.withUnsafeBytes { key in
            for cpu in UInt32(0)..<3 {
                map.lookupElement(key.baseAddress!, cpu: cpu)?.storeBytes(of: 10 + cpu, as: UInt32.self)
            }
        }
        #expect(
            try map.lookup(key) == [
                10, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0,
            ])
        try map.update(key, [UInt8](repeating: 7, count: 24))
        #expect(try map.lookup(key).filter { $0 == 7 }.count == 12, "padding is not data")
        #expect(errno { () throws(OpsError) in try map.update(key, [1, 2, 3, 4]) } == EINVAL)
        #expect(try map.lookup(Self.key(0)) == [UInt8](repeating: 0, count: 24))
        #expect(map.memoryCharge == 48)
    }

    @Test("global data starts with the object's bytes; frozen data cannot be written")
    func globalData() throws {
        var frozen = TestMap.array(".rodata", valueSize: 4, maxEntries: 1)
        frozen.constants = [1, 2, 3, 4]
        frozen.isReadOnly = true
        let data = TestMap.array(".data", valueSize: 4, maxEntries: 1)
        let instance = try Instance(maps: [frozen, data], contents: [1: [9, 8]])
        #expect(try instance.maps[0].lookup(Self.key(0)) == [1, 2, 3, 4])
        #expect(try instance.maps[1].lookup(Self.key(0)) == [9, 8, 0, 0])
        #expect(
            errno { () throws(OpsError) in try instance.maps[0].update(Self.key(0), [0, 0, 0, 0]) } == EPERM)
        #expect(
            errno { () throws(OpsError) in _ = try Instance(maps: [data], contents: [0: Array(0..<9)]) }
                == EINVAL)
    }

    @Test("the lock of a value is not copied in and shows as zero")
    func lockField() throws {
        let fixture = try LockedValue()
        let instance = try Instance(maps: [fixture.map], btf: fixture.btf)
        let map = instance.maps[0]
        #expect(map.special.spinLockOffset == 8)
        try map.update(Self.key(0), [UInt8](repeating: 0xff, count: 16))
        let all: [UInt8] =
            [UInt8](repeating: 0xff, count: 8) + [0, 0, 0, 0] + [UInt8](repeating: 0xff, count: 4)
        #expect(try map.lookup(Self.key(0)) == all)
        let address = UInt64(
            UInt(bitPattern: Self.key(0).withUnsafeBytes { map.lookupElement($0.baseAddress!, cpu: 0) }))
        let lock = try #require(HelperTable.base[93])
        _ = ops_call_helper(UInt64(lock.address), address + 8, 0, 0, 0, 0, instance.block)
        #expect(UnsafeRawPointer(bitPattern: UInt(address))?.load(fromByteOffset: 8, as: UInt32.self) == 1)
        #expect(try map.lookup(Self.key(0)) == all)
        #expect(
            errno { () throws(OpsError) in try map.update(Self.key(0), all, flags: UpdateFlag.lock) } == 0)
    }

    @Test("socket storage comes with the first get and goes with the socket")
    func storage() throws {
        let arena = try Arena(byteCount: 1 << 20)
        let pool = try arena.makePool("tcp_sock", byteCount: 100)
        let instance = try Instance(maps: [TestMap.storage()], arena: arena)
        let map = try #require(instance.maps[0] as? SocketStorageMap)
        let get = UInt64(try #require(HelperTable.base[107]).address)
        let delete = UInt64(try #require(HelperTable.base[108]).address)
        let handle = UInt64(UInt(bitPattern: Unmanaged.passUnretained(map as RuntimeMap).toOpaque()))
        let socket = try arena.allocate(pool)
        let address = UInt64(UInt(bitPattern: socket))
        var initial: UInt64 = 42
        let first = withUnsafePointer(to: &initial) { UInt64(UInt(bitPattern: $0)) }

        #expect(ops_call_helper(get, handle, address, 0, 0, 0, instance.block) == 0)
        #expect(ops_call_helper(get, handle, address, 0, 2, 0, instance.block) == 0, "unknown flag")
        #expect(ops_call_helper(get, handle, 0, 0, 1, 0, instance.block) == 0, "NULL socket")
        #expect(ops_call_helper(get, handle, 64, 0, 1, 0, instance.block) == 0, "no socket of the world")
        let value = ops_call_helper(get, handle, address, first, 1, 0, instance.block)
        #expect(value != 0)
        #expect(ops_call_helper(get, handle, address, 0, 0, 0, instance.block) == value)
        #expect(map.value(of: address) == HashMapTests.bytes(42))
        #expect(map.sockets == [address])
        #expect(ops_call_helper(delete, handle, address, 0, 0, 0, instance.block) == 0)
        #expect(
            ops_call_helper(delete, handle, address, 0, 0, 0, instance.block) == HelperAnswer.error(ENOENT))

        _ = ops_call_helper(get, handle, address, 0, 1, 0, instance.block)
        instance.socketFreed(socket)
        arena.free(socket, in: pool)
        #expect(map.count == 0)
        #expect(
            ops_call_helper(get, handle, address, 0, 1, 0, instance.block) == 0, "no value for a freed socket"
        )
        #expect(errno { () throws(OpsError) in _ = try map.lookup(Self.key(3)) } == EOPNOTSUPP)
        #expect(errno { () throws(OpsError) in _ = try map.nextKey(after: nil) } == OpsError.enotsupp)
    }

    @Test("storage that grows is paid for, and ends where nobody pays")
    func storageGrowth() throws {
        let arena = try Arena(byteCount: 1 << 22)
        let pool = try arena.makePool("sock", byteCount: 100)
        let instance = try Instance(maps: [TestMap.storage(valueSize: 4000)], arena: arena)
        let map = instance.maps[0]
        #expect(map.memoryCharge == 0)
        var paid = 0
        instance.onGrowth = { byteCount in
            guard paid + byteCount <= 200_000 else { return false }
            paid += byteCount
            return true
        }
        var made = 0
        for _ in 0..<100 {
            let socket = UInt64(UInt(bitPattern: try arena.allocate(pool)))
            if map.makeStorageElement(of: socket, initial: nil) != nil { made += 1 }
        }
        #expect(paid == map.memoryCharge && paid == 3 * SocketStorageMap.chargeStep)
        #expect(made == paid / 4016)
    }

    @Test("BPF_F_RDONLY and BPF_F_WRONLY bind user space")
    func accessFlags() throws {
        let maps = [
            TestMap.hash(flags: MapFlags.readOnly.rawValue), TestMap.hash(flags: MapFlags.writeOnly.rawValue),
        ]
        let instance = try Instance(maps: maps)
        #expect(
            errno { () throws(OpsError) in try instance.maps[0].update(Self.key(0), Self.key(0) + Self.key(0))
            } == EPERM)
        #expect(errno { () throws(OpsError) in _ = try instance.maps[1].lookup(Self.key(0)) } == EPERM)
        #expect(errno { () throws(OpsError) in _ = try instance.maps[1].elements() } == EPERM)
    }
}

@Suite("Map creation") struct MapCreationTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        var name: String
        var errno: CInt
        var map: MapDescription
        var cpus = 1
        var testDescription: String { name }
    }

    static func make(_ type: MapType, _ key: Int, _ value: Int, _ max: Int, flags: UInt32 = 0)
        -> MapDescription
    {
        MapDescription(name: "m", type: type, keySize: key, valueSize: value, maxEntries: max, flags: flags)
    }

    static let samples: [Sample] = [
        Sample(name: "array key 8", errno: EINVAL, map: make(.array, 8, 8, 1)),
        Sample(name: "array value 0", errno: EINVAL, map: make(.array, 4, 0, 1)),
        Sample(name: "array of none", errno: EINVAL, map: make(.array, 4, 8, 0)),
        Sample(name: "array value over INT_MAX", errno: E2BIG, map: make(.array, 4, 1 << 31, 1)),
        Sample(name: "array over the block", errno: ENOMEM, map: make(.array, 4, 1 << 20, 1 << 20)),
        Sample(name: "array overflows", errno: ENOMEM, map: make(.array, 4, Int(Int32.max), Int(UInt32.max))),
        Sample(name: "array NO_PREALLOC", errno: EINVAL, map: make(.array, 4, 8, 1, flags: 1)),
        Sample(name: "array negative", errno: EINVAL, map: make(.array, 4, -8, 1)),
        Sample(name: "read-only and write-only", errno: EINVAL, map: make(.array, 4, 8, 1, flags: 3 << 3)),
        Sample(name: "percpu value over 32 KiB", errno: E2BIG, map: make(.percpuArray, 4, 32769, 1)),
        Sample(
            name: "percpu too large", errno: ENOMEM, map: make(.percpuArray, 4, 32768, Int(UInt32.max)),
            cpus: 4096),
        Sample(name: "hash key 0", errno: EINVAL, map: make(.hash, 0, 8, 1)),
        Sample(name: "hash value 0", errno: EINVAL, map: make(.hash, 4, 0, 1)),
        Sample(name: "hash of none", errno: EINVAL, map: make(.hash, 4, 8, 0)),
        Sample(name: "hash element of 4 MiB", errno: E2BIG, map: make(.hash, 4, (4 << 20) - 4, 1)),
        Sample(name: "hash sizes overflow", errno: E2BIG, map: make(.hash, .max, .max, 1)),
        Sample(name: "hash of 2^32 - 1", errno: ENOMEM, map: make(.hash, 4, 8, Int(UInt32.max))),
        Sample(name: "hash of 2^32", errno: EINVAL, map: make(.hash, 4, 8, 1 << 32)),
        Sample(name: "hash too large", errno: ENOMEM, map: make(.hash, 4, 1 << 20, 1 << 30)),
        Sample(name: "hash unknown flag", errno: EINVAL, map: make(.hash, 4, 8, 1, flags: 1 << 30)),
        Sample(name: "storage preallocated", errno: EINVAL, map: make(.skStorage, 4, 8, 0)),
        Sample(name: "storage with entries", errno: EINVAL, map: make(.skStorage, 4, 8, 1, flags: 1)),
        Sample(name: "storage without BTF", errno: EINVAL, map: make(.skStorage, 4, 8, 0, flags: 1)),
        Sample(name: "map in map", errno: OpsError.enotsupp, map: make(.hashOfMaps, 4, 4, 1)),
        Sample(name: "struct_ops", errno: OpsError.enotsupp, map: make(.structOps, 4, 8, 1)),
        Sample(name: "type 99", errno: OpsError.enotsupp, map: make(MapType(rawValue: 99), 4, 8, 1)),
        Sample(name: "no CPU", errno: EINVAL, map: make(.array, 4, 8, 1), cpus: 0),
    ]

    @Test("is refused as the kernel refuses it", arguments: samples)
    func refused(_ sample: Sample) {
        var configuration = Instance.Configuration()
        configuration.cpus = sample.cpus
        #expect(
            errno { () throws(OpsError) in _ = try Instance(maps: [sample.map], configuration: configuration)
            }
                == sample.errno)
    }

    @Test("unsupported types are named")
    func named() {
        #expect {
            _ = try Instance(maps: [Self.make(.taskStorage, 4, 8, 0)])
        } throws: { error in
            let error = error as? OpsError
            return error?.code == "unsupported" && error?.text.contains("task_storage") == true
        }
    }

    @Test(
        "fields that nothing here gives life to are refused by name, and those of a wrong size",
        arguments: [
            ("bpf_list_head", 16, EOPNOTSUPP), ("bpf_rb_root", 16, EOPNOTSUPP), ("bpf_wq", 16, EOPNOTSUPP),
            ("kptr", 8, EOPNOTSUPP), ("bpf_spin_lock", 1, EINVAL), ("bpf_timer", 8, EINVAL),
            ("bpf_spin_lock", 4, 0), ("bpf_timer", 16, 0), ("data", 16, 0),
        ])
    func specialFields(name: String, size: Int, expected: CInt) throws {
        var builder = BTFBuilder()
        let u64 = builder.add(.int(BTFInt(name: "u64", byteCount: 8, bitCount: 64)))
        var field = builder.add(
            .composite(BTFComposite(name: name, isUnion: false, byteCount: size, members: [])))
        if name == "kptr" {
            let tag = builder.add(.typeTag(name: "kptr", of: field))
            field = builder.add(.pointer(to: tag))
        }
        let value = builder.add(
            .composite(
                BTFComposite(
                    name: "value", isUnion: false, byteCount: 32,
                    members: [
                        BTFMember(name: "a", type: u64, bitOffset: 0),
                        BTFMember(name: "b", type: field, bitOffset: 64),
                    ])))
        var map = TestMap.array(valueSize: 32)
        map.valueType = value
        let btf = try builder.build()
        do throws(OpsError) {
            _ = try Instance(maps: [map], btf: btf)
            #expect(expected == 0)
        } catch {
            #expect(error.errno == expected)
            #expect(error.text.contains(name))
        }
    }

    @Test("no combination of extreme sizes traps")
    func extremes() {
        let sizes = [Int.min, -1, 0, 1, 4, 7, 4096, 1 << 31, 1 << 32, Int.max - 7, Int.max]
        let types: [MapType] = [
            .array, .percpuArray, .hash, .percpuHash, .lruHash, .lruPercpuHash, .queue, .stack, .ringbuf,
            .skStorage,
        ]
        for type in types {
            for key in sizes {
                for value in sizes {
                    for max in sizes {
                        var map = Self.make(type, key, value, max, flags: type == .skStorage ? 1 : 0)
                        map.valueType = TypeID(1)
                        map.keyType = TypeID(1)
                        _ = try? InstanceLayout.make(for: [map, map], cpus: 4096)
                        // Making the large ones for real would only measure the kernel.
                        guard max <= 4096 else { continue }
                        _ = try? Instance(maps: [map])
                    }
                }
            }
        }
    }

    @Test("maps of one instance share the limit")
    func limit() throws {
        var configuration = Instance.Configuration()
        configuration.memoryLimitBytes = 1 << 20
        let map = Self.make(.hash, 4, 1000, 450)
        _ = try Instance(maps: [map], configuration: configuration)
        #expect(
            errno { () throws(OpsError) in _ = try Instance(maps: [map, map], configuration: configuration) }
                == ENOMEM)
    }

    @Test("fields of hostile BTF that overlap or stick out are ignored")
    func hostileFields() throws {
        var builder = BTFBuilder()
        let lock = builder.add(
            .composite(BTFComposite(name: "bpf_spin_lock", isUnion: false, byteCount: 4, members: [])))
        let value = builder.add(
            .composite(
                BTFComposite(
                    name: "v", isUnion: true, byteCount: 8,
                    members: [
                        BTFMember(name: "a", type: lock, bitOffset: 0),
                        BTFMember(name: "b", type: lock, bitOffset: 0),
                    ])))
        var map = TestMap.array(valueSize: 3, maxEntries: 1)
        map.valueType = value
        #expect(SpecialFields(of: map, in: try builder.build()).ranges.isEmpty)
        map.valueSize = 8
        let fields = SpecialFields(of: map, in: try builder.build())
        #expect(fields.ranges == [0..<4])
    }
}
