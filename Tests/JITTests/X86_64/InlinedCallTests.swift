import BPF
import CShim
import JIT
import Testing

@testable import Verifier

/// Helpers that become code in place: the code alone, with no helper behind it.
@Suite("Inlined helpers") struct InlinedCallTests {
    private static let lookup: Int32 = 1
    private static let spinLock: Int32 = 93
    private static let spinUnlock: Int32 = 94

    /// f(key) = bpf_map_lookup_elem(&map, &key).
    private static let lookUpArgument: [Instruction] =
        [Insn.store(.word, 10, -4, 1)] + Insn.wide(1, 0, pseudo: PseudoLoad.mapFD) + [
            Insn.mov(2, 10), Insn.alu64(Opcode.add, 2, imm: -4), Insn.call(helper: lookup), Insn.exit,
        ]

    @Test("an array's element is an address in the block, or NULL", arguments: [1, 8, 16, 24, 32, 100])
    func arrayLookup(stride: Int) throws {
        let map = MapDescription(name: "array", type: .array, keySize: 4, valueSize: stride, maxEntries: 5)
        let program = trusted(Self.lookUpArgument, maps: [map]) { $0[5].constantMap = 0 }
        let data = TestBlock.dataOffset + 16
        let layout = InstanceLayout(
            slots: [
                .init(
                    handleOffset: TestBlock.dataOffset, dataOffset: data, elementStride: stride, maxEntries: 5
                )
            ], byteCount: TestBlock.dataOffset + 1024)
        let runner = try Runner([program], layout: layout, block: TestBlock(dataBytes: 1024))
        let base = UInt64(UInt(bitPattern: runner.block.address)) + UInt64(data)
        for key: UInt64 in 0..<5 { #expect(runner.call(0, key) == base + key * UInt64(stride)) }
        for key: UInt64 in [5, 6, 0x7fff_ffff, 0xffff_ffff] { #expect(runner.call(0, key) == 0) }
        // A key is 32 bits.
        #expect(runner.call(0, 0xabcd_0000_0002) == base + 2 * UInt64(stride))
    }

    @Test(
        "a per-CPU array's element is one of the CPU's values, or NULL", arguments: [1, 8, 16, 24, 32, 100])
    func percpuLookup(stride: Int) throws {
        let map = MapDescription(
            name: "array", type: .percpuArray, keySize: 4, valueSize: stride, maxEntries: 5)
        let program = trusted(Self.lookUpArgument, maps: [map]) { $0[5].constantMap = 0 }
        let handle = TestBlock.dataOffset
        let layout = InstanceLayout(
            slots: [
                .init(
                    handleOffset: handle, dataOffset: nil, percpuBaseOffset: handle + 8,
                    elementStride: stride, maxEntries: 5)
            ], byteCount: handle + 16)
        let runner = try Runner([program], layout: layout)
        let base: UInt64 = 0x7ff0_0000_0000
        runner.block.address.storeBytes(of: base, toByteOffset: handle + 8, as: UInt64.self)
        runner.block.head.pointee.cpus = 3
        for (cpu, values) in [(0, 0), (1, 1), (2, 2), (3, 0), (0xffff_ffff, 0)] as [(UInt32, UInt64)] {
            runner.block.head.pointee.cpu = cpu
            let first = base + values * 5 * UInt64(stride)
            for key: UInt64 in 0..<5 { #expect(runner.call(0, key) == first + key * UInt64(stride)) }
            for key: UInt64 in [5, 6, 0x7fff_ffff, 0xffff_ffff] { #expect(runner.call(0, key) == 0) }
            #expect(runner.call(0, 0xabcd_0000_0002) == first + 2 * UInt64(stride))
        }
        #expect(!runner.compiled[0].needs.contains(.fuel))
    }

    @Test("a lookup whose map is not known is a call") func unknownMap() {
        let program = trusted(Self.lookUpArgument)
        #expect(throws: JITError.missingFunction(insn: 5, name: "helper 1")) {
            try compile(
                CompileRequest(
                    program: program,
                    layout: InstanceLayout(
                        slots: [
                            .init(
                                handleOffset: TestBlock.dataOffset, dataOffset: nil, elementStride: 8,
                                maxEntries: 1)
                        ], byteCount: TestBlock.dataOffset + 8)))
        }
    }

    @Test("the next number of an iterator, its end, and the end of fuel") func nextNumber() throws {
        // f(iterator) = bpf_iter_num_next(iterator); R6 lives across it.
        let insns = [
            Insn.mov(6, 1), Instruction(opcode: Opcode.call, src: PseudoCall.kfunc),
            Insn.alu64(Opcode.sub, 0, 6),
            Insn.exit,
        ]
        let kfuncs = [
            KfuncPrototype(name: "bpf_iter_num_next", function: BTFRef(btf: 1, id: TypeID(rawValue: 1)))
        ]
        let runner = try Runner([trusted(insns, kfuncs: kfuncs)])
        let numbers = UnsafeMutablePointer<Int32>.allocate(capacity: 2)
        defer { numbers.deallocate() }
        for fuel: UInt64 in [0, 1, 5] {
            runner.block.head.pointee.fuel_per_call = fuel
            for (last, end) in [
                (-1, 0), (-1, 1), (3, 4), (3, 5), (3, 3), (3, -7), (-8, -6), (.min, .max), (.max - 2, .max),
                (.max - 1, .max), (.max, .max), (.max, .min), (.max, .min + 1),
            ] as [(Int32, Int32)] {
                (numbers[0], numbers[1]) = (last, end)
                let address = UInt64(UInt(bitPattern: numbers))
                let isLast = last &+ 1 >= end || fuel == 0
                #expect(
                    runner.call(0, address) == (isLast ? 0 &- address : 0), "\(last) of \(end), fuel \(fuel)")
                #expect([numbers[0], numbers[1]] == (isLast ? [0, 0] : [last &+ 1, end]))
                #expect(runner.block.head.pointee.fuel == (isLast ? fuel : fuel - 1))
            }
        }
    }

    /// Adds to a word between lock and unlock; R6 to R9 and R0 live across both.
    private static let locked: [Instruction] = [
        Insn.mov(6, 1), Insn.mov(7, 2), Insn.call(helper: spinLock), Insn.load(.double, 3, 6, 8),
        Insn.alu64(Opcode.add, 3, 7), Insn.store(.double, 6, 8, 3), Insn.mov(1, 6),
        Insn.call(helper: spinUnlock),
        Insn.load(.double, 0, 6, 8), Insn.exit,
    ]

    @Test("spin locks inside a world are no code at all") func spinLocks() throws {
        let runner = try Runner([trusted(Self.locked)])
        var value: [UInt64] = [0, 40]
        let sum = value.withUnsafeMutableBytes { runner.call(0, UInt64(UInt(bitPattern: $0.baseAddress)), 2) }
        #expect(sum == 42)
        #expect(value == [0, 42])
        #expect(!runner.compiled[0].needs.contains(.fuel))
    }

    @Test("a host may want its own helpers called") func withoutInlining() {
        #expect(throws: JITError.missingFunction(insn: 2, name: "helper 93")) {
            try compile(
                CompileRequest(
                    program: trusted(Self.locked), layout: InstanceLayout(slots: [], byteCount: 0),
                    options: CompileOptions(inlinesHelpers: false)))
        }
    }
}
