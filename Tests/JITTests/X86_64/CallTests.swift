import BPF
import CShim
import JIT
import Testing

@testable import Verifier

/// Calls of all kinds, callbacks, loops on fuel, the two-slot loads, probed loads, traps.
@Suite("Calls and loads") struct CallTests {
    private static let echo: ops_helper_fn = { r1, r2, r3, r4, r5, block in
        // Every argument and the block count, each with a weight of its own.
        r1 &+ 3 &* r2 &+ 5 &* r3 &+ 7 &* r4 &+ 11 &* r5 &+ 13 &* (block?.pointee.ktime_ns ?? 0)
    }

    private static func address(_ function: ops_helper_fn?) -> UInt {
        UInt(bitPattern: unsafeBitCast(function, to: Int.self))
    }

    private static let setArguments = (UInt8(1)...5).map { Insn.mov($0, imm: Int32($0) * 100) }

    @Test(
        "helpers and kfuncs get five arguments and the block",
        arguments: [PseudoCall.helper, PseudoCall.kfunc])
    func helperArguments(kind: UInt8) throws {
        let insns =
            Self.setArguments + [
                Instruction(opcode: Opcode.call, src: kind, imm: kind == 0 ? 9 : 0), Insn.exit,
            ]
        let kfuncs = [KfuncPrototype(name: "echo", function: BTFRef(btf: 1, id: TypeID(rawValue: 1)))]
        let runner = try Runner(
            [trusted(insns, kfuncs: kfuncs)], helpers: [9: Self.address(Self.echo)],
            kfuncs: [Self.address(Self.echo)])
        runner.block.head.pointee.ktime_ns = 1_000_000
        #expect(runner.call() == 100 + 600 + 1500 + 2800 + 5500 + 13_000_000)
    }

    @Test("R6 to R9 survive calls of helpers and subprogs") func calleeSaved() throws {
        let insns =
            (UInt8(6)...9).map { Insn.mov($0, imm: Int32($0)) } + [
                Insn.call(helper: 9), Insn.call(subprog: 5), Insn.mov(0, 6), Insn.alu64(Opcode.add, 0, 7),
                Insn.alu64(Opcode.add, 0, 8), Insn.alu64(Opcode.add, 0, 9), Insn.exit,
                // The subprog destroys them all.
                Insn.mov(6, imm: -1), Insn.mov(7, imm: -1), Insn.mov(8, imm: -1), Insn.mov(9, imm: -1),
                Insn.store(.double, 10, -8, imm: 77), Insn.load(.double, 0, 10, -8), Insn.exit,
            ]
        let runner = try Runner([trusted(insns, subprogs: [0, 11])], helpers: [9: Self.address(Self.echo)])
        #expect(runner.call() == 30)
    }

    @Test("subprogs have frames of their own and can recurse as deep as the stack allows")
    func subprogFrames() throws {
        // f(n) = n == 0 ? 0 : n + f(n - 1), n kept on the stack across the call.
        let insns = [
            Insn.call(subprog: 1), Insn.exit,
            Insn.mov(0, imm: 0), Insn.jump(Opcode.jeq, 1, imm: 0, to: 5), Insn.store(.double, 10, -8, 1),
            Insn.alu64(Opcode.sub, 1, imm: 1), Insn.call(subprog: -5), Insn.load(.double, 1, 10, -8),
            Insn.alu64(Opcode.add, 0, 1), Insn.exit,
        ]
        let runner = try Runner([trusted(insns, subprogs: [0, 2])])
        #expect(runner.call(0, 10) == 55)
    }

    /// Calls back what R2 points to with (i, R3) for i = 0, 1, 2 and sums the results.
    private static let callThrice: ops_helper_fn = { _, callback, context, _, _, block in
        (0..<3).reduce(0) { $0 &+ ops_call_callback(callback, $1, context, 0, 0, 0, block) }
    }

    @Test("C calls a callback through its thunk") func callbackThunk() throws {
        var insns = Insn.wide(2, 6, pseudo: PseudoLoad.function)
        insns += [
            Insn.mov(3, imm: 1000), Insn.mov(6, imm: 5), Insn.call(helper: 164), Insn.alu64(Opcode.add, 0, 6),
            Insn.exit,
        ]
        // callback(i, context) = i * 10 + context + the first value of map 0
        insns += [
            Insn.mov(0, 1), Insn.alu64(Opcode.mul, 0, imm: 10), Insn.alu64(Opcode.add, 0, 2),
            Insn.mov(6, imm: 0),
        ]
        insns += Insn.wide(3, 0, pseudo: PseudoLoad.mapValue)
        insns += [Insn.load(.double, 3, 3, 0), Insn.alu64(Opcode.add, 0, 3), Insn.exit]
        let layout = InstanceLayout(
            slots: [
                .init(
                    handleOffset: TestBlock.dataOffset, dataOffset: TestBlock.dataOffset + 16,
                    elementStride: 8,
                    maxEntries: 1)
            ], byteCount: TestBlock.dataOffset + 32)
        let block = TestBlock()
        block.address.storeBytes(of: 7, toByteOffset: TestBlock.dataOffset + 16, as: UInt64.self)
        let runner = try Runner(
            [trusted(insns, subprogs: [0, 7], callbacks: [1])], layout: layout,
            helpers: [164: Self.address(Self.callThrice)], block: block)
        #expect(runner.call() == 30 + 3000 + 21 + 5)
    }

    @Test("map handles and values are found in the block") func maps() throws {
        let base = TestBlock.dataOffset
        let layout = InstanceLayout(
            slots: [
                .init(handleOffset: base, dataOffset: nil, elementStride: 8, maxEntries: 1),
                .init(handleOffset: base + 8, dataOffset: base + 64, elementStride: 8, maxEntries: 4),
            ], byteCount: base + 96)
        let insns =
            Insn.wide(1, 0, pseudo: PseudoLoad.mapFD)
            + Insn.wide(2, 1 | 24 << 32, pseudo: PseudoLoad.mapValue) + [
                Insn.load(.double, 0, 2, 0), Insn.alu64(Opcode.add, 0, 1), Insn.exit,
            ]
        let runner = try Runner([trusted(insns)], layout: layout)
        runner.block.address.storeBytes(of: 0x1000_0000_0000, toByteOffset: base, as: UInt64.self)
        runner.block.address.storeBytes(of: 42, toByteOffset: base + 64 + 24, as: UInt64.self)
        #expect(runner.call() == 0x1000_0000_002a)
    }

    // MARK: Fuel

    /// `bpf_loop(R1, callback, &sum, R4)`; the callback adds i + 1 to the sum and stops at i == R5.
    private static let loop: [Instruction] = {
        var insns = [
            Insn.store(.double, 10, -8, imm: 0), Insn.store(.double, 10, -16, 5), Insn.mov(3, 10),
            Insn.alu64(Opcode.add, 3, imm: -16), Insn.mov(6, 2),
        ]
        insns += Insn.wide(2, 5, pseudo: PseudoLoad.function)
        insns += [
            Insn.call(helper: 181), Insn.load(.double, 1, 10, -8), Insn.store(.double, 6, 0, 1), Insn.exit,
        ]
        insns += [
            // callback(i, ctx): ctx[1] += i + 1; return i == ctx[0]
            Insn.mov(0, imm: 0), Insn.load(.double, 3, 2, 8), Insn.alu64(Opcode.add, 3, 1),
            Insn.alu64(Opcode.add, 3, imm: 1), Insn.store(.double, 2, 8, 3), Insn.load(.double, 3, 2, 0),
            Instruction(opcode: Opcode.jne | 0x0d, dst: 1, src: 3, offset: 1), Insn.mov(0, imm: 1), Insn.exit,
        ]
        return insns
    }()

    private func runLoop(turns: UInt64, stopAt: UInt64 = .max, flags: UInt64 = 0, fuel: UInt64 = 1000) throws
        -> (
            result: UInt64, sum: UInt64, fuelLeft: UInt64
        )
    {
        let runner = try Runner(
            [trusted(Self.loop, subprogs: [0, 11], callbacks: [1])], block: TestBlock(fuel: fuel))
        var sum: UInt64 = 0
        let result = withUnsafeMutablePointer(to: &sum) {
            runner.call(0, turns, UInt64(UInt(bitPattern: $0)), 0, flags, stopAt)
        }
        return (result, sum, runner.block.head.pointee.fuel)
    }

    @Test("bpf_loop counts, stops early, and refuses what the kernel refuses") func loops() throws {
        #expect(try runLoop(turns: 10) == (10, 55, 990))
        #expect(try runLoop(turns: 0) == (0, 0, 1000))
        #expect(try runLoop(turns: 10, stopAt: 3) == (4, 10, 996))
        #expect(try runLoop(turns: 0xf_0000_0002) == (2, 3, 998))
        #expect(try runLoop(turns: 0x80_0000, stopAt: 0) == (1, 1, 999))
        #expect(try runLoop(turns: 0x80_0001) == (UInt64(bitPattern: -7), 0, 1000))
        #expect(try runLoop(turns: 10, flags: 1) == (UInt64(bitPattern: -22), 0, 1000))
    }

    @Test("bpf_loop ends when fuel does") func loopFuel() throws {
        #expect(try runLoop(turns: 10, fuel: 10) == (10, 55, 0))
        #expect(try runLoop(turns: 10, fuel: 4) == (4, 10, 0))
        #expect(try runLoop(turns: 10, fuel: 0) == (0, 0, 0))
    }

    // MARK: Loads, traps, refusals

    @Test("a probed load reads 0 outside the arena", arguments: [AccessSize.byte, .half, .word, .double])
    func probed(size: AccessSize) throws {
        for (dst, src) in [(0, 1), (1, 1), (6, 1), (1, 6)] as [(UInt8, UInt8)] {
            let insns = [Insn.mov(6, 1), Insn.load(size, dst, src, 16), Insn.mov(0, dst), Insn.exit]
            let runner = try Runner([trusted(insns) { $0[1].isProbed = true }])
            let arena = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 8)
            defer { arena.deallocate() }
            for index in arena.indices { arena[index] = UInt8(truncatingIfNeeded: index) | 0x80 }
            let base = UInt64(UInt(bitPattern: arena.baseAddress))
            runner.block.head.pointee.arena_base = base
            runner.block.head.pointee.arena_size = 4096
            func expected(_ offset: Int) -> UInt64 {
                (0..<size.byteCount).reduce(0) { $0 | UInt64(arena[offset + $1]) << UInt64(8 * $1) }
            }
            for offset in [0, 1, 100, 4095] {
                #expect(runner.call(0, base &+ UInt64(offset) &- 16) == expected(offset))
            }
            for outside in [base &- 17, base &+ 4096 &- 16, 0, .max, base &- 16 ^ 1 << 63] as [UInt64] {
                #expect(runner.call(0, outside) == 0)
            }
        }
    }

    @Test("unreachable code is a trap") func trap() async {
        await #expect(processExitsWith: .failure) {
            let runner = try Runner([
                trusted([Insn.mov(0, imm: 1), Insn.mov(0, imm: 2), Insn.exit]) { $0[1].isReachable = false }
            ])
            _ = runner.call()
        }
    }

    @Test("what cannot be compiled is refused by name") func refusals() {
        func error(_ insns: [Instruction]) -> JITError? {
            do throws(JITError) {
                _ = try compile(
                    CompileRequest(
                        program: trusted(insns + [Insn.exit]), layout: InstanceLayout(slots: [], byteCount: 0)
                    ))
                return nil
            } catch { return error }
        }
        #expect(error([Insn.call(helper: 9)]) == .missingFunction(insn: 0, name: "helper 9"))
        #expect(
            error(Insn.wide(0, 0, pseudo: PseudoLoad.btfID))
                == .unsupported(insn: 0, what: "the address of a kernel variable"))
        #expect(
            error([Instruction(opcode: Opcode.gotoShort, offset: 7)]) == .malformed(insn: 0, opcode: 0x05))
        #expect(error([Instruction(opcode: 0x07, dst: 12)]) == .malformed(insn: 0, opcode: 0x07))
        #expect(
            error([Instruction(opcode: Opcode.callx, dst: 1)]) == .malformed(insn: 0, opcode: Opcode.callx))
        #expect(
            error([Instruction(opcode: 0x20)])
                == .unsupported(insn: 0, what: "a packet load (BPF_ABS, BPF_IND)"))
        #expect(error(Insn.wide(0, 3, pseudo: PseudoLoad.mapFD)) == .malformed(insn: 0, opcode: 0x18))
    }
}
