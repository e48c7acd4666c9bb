import BPF
import Testing
import Verifier

@testable import OpsCore

@Suite("Interpreter") struct InterpreterTests {
    @Test("calls keep R6 to R9 of the caller and give the callee its own stack")
    func subprog() throws {
        var machine = Machine()
        machine.subprogStarts = [7]
        let r0 = try machine.run([
            Asm.mov(6, 5), Asm.store(.double, 10, -8, 1), Asm.mov(1, 30),
            Asm.subprog(3),
            Asm.load(.double, 1, 10, -8), Asm.alu(Opcode.add, 0, reg: 6), Asm.exit,
            // sub: overwrites R6 and its own stack, returns its argument.
            Asm.mov(6, 99), Asm.store(.double, 10, -8, 77), Asm.mov(0, reg: 1), Asm.exit,
        ])
        #expect(r0 == 35)
    }

    @Test("a pointer spilled and filled keeps what it points to")
    func spill() throws {
        let r0 = try Machine().run(
            [
                Asm.store(.double, 10, -16, reg: 1), Asm.load(.double, 2, 10, -16),
                Asm.load(.double, 0, 2, 8), Asm.exit,
            ], slots: [1, 42])
        #expect(r0 == 42)
    }

    @Test("bpf_loop turns until its callback stops, and until fuel is out")
    func loop() throws {
        var machine = Machine()
        machine.subprogStarts = [10]
        // Counts turns in the caller's stack; the callback stops at index 6.
        let program =
            [
                Asm.store(.double, 10, -8, 0), Asm.mov(1, 100),
            ] + Asm.function(2, 7) + [
                Asm.mov(3, reg: 10), Asm.alu(Opcode.add, 3, -8), Asm.mov(4, 0),
                Asm.helper(181), Asm.load(.double, 0, 10, -8), Asm.exit,
                Asm.load(.double, 3, 2, 0), Asm.alu(Opcode.add, 3, 1), Asm.store(.double, 2, 0, reg: 3),
                Asm.mov(0, 0), Asm.jump(Opcode.jlt, 1, 6, 1), Asm.mov(0, 1), Asm.exit,
            ]
        #expect(try machine.run(program) == 7)
        machine.configuration.fuelPerCall = 3
        #expect(try machine.run(program) == 3)
    }

    @Test("may_goto leaves the loop when fuel is out")
    func mayGoto() throws {
        var machine = Machine()
        machine.configuration.fuelPerCall = 1000
        let r0 = try machine.run([
            Asm.mov(0, 0), Asm.mayGoto(2), Asm.alu(Opcode.add, 0, 1), Asm.goto(-3), Asm.exit,
        ])
        #expect(r0 == 1000)
    }

    @Test("for_each visits every element, and its callback may delete them")
    func forEach() throws {
        var machine = Machine()
        machine.maps = [TestMap.hash(valueSize: 8, maxEntries: 8)]
        machine.subprogStarts = [10]
        let instance = try machine.instance()
        for key in UInt8(1)...5 { try instance.maps[0].update([key, 0, 0, 0], [key, 0, 0, 0, 0, 0, 0, 0]) }
        let program =
            [Asm.store(.double, 10, -8, 0)] + Asm.map(1, 0) + Asm.function(2, 6)
            + [
                Asm.mov(3, reg: 10), Asm.alu(Opcode.add, 3, -8), Asm.mov(4, 0), Asm.helper(164), Asm.exit,
            ] + [
                // Adds the value to the context, deletes the key.
                Asm.mov(6, reg: 1)
            ]
        // 0:st 1,2:map 3,4:fn 5:mov 6:add 7:mov 8:call 9:exit 10…
        let callback = [
            Asm.load(.double, 5, 3, 0), Asm.load(.double, 0, 4, 0), Asm.alu(Opcode.add, 0, reg: 5),
            Asm.store(.double, 4, 0, reg: 0), Asm.helper(3), Asm.exit,
        ]
        #expect(try machine.run(Array(program.dropLast()) + callback, on: instance) == 5)
        #expect(instance.maps[0].count == 0)
    }

    @Test("probed loads read the arena and 0 elsewhere")
    func probed() throws {
        var machine = Machine()
        let arena = try Arena(byteCount: 1 << 16)
        let pool = try arena.makePool("object", byteCount: 64)
        let object = try arena.allocate(pool)
        object.storeBytes(of: 77, toByteOffset: 8, as: UInt64.self)
        machine.arena = arena
        var fact = InsnFacts()
        fact.isProbed = true
        machine.facts = [1: fact]
        let program = [Asm.load(.double, 1, 1, 0), Asm.load(.double, 0, 1, 8), Asm.exit]
        let address = UInt64(UInt(bitPattern: object))
        #expect(try machine.run(program, slots: [address]) == 77)
        #expect(try machine.run(program, slots: [0]) == 0)
        #expect(try machine.run(program, slots: [0xdead_beef]) == 0)
        #expect(try machine.run(program, slots: [UInt64(arena.base + UInt(arena.byteCount))]) == 0)
        // The last byte of the arena starts a load that ends in the readable bytes after it.
        #expect(try machine.run(program, slots: [UInt64(arena.base + UInt(arena.byteCount) - 9)]) == 0)
    }

    @Test(
        "atomic operations",
        arguments: [
            (Opcode.add.imm, UInt64(30), UInt64(0)), (Opcode.add.imm | 1, 30, 20),
            (Opcode.or.imm | 1, 30, 20),
            (Opcode.and.imm | 1, 0, 20), (Opcode.xor.imm | 1, 30, 20), (Opcode.atomicXchg, 10, 20),
            (Opcode.atomicCmpxchg, 10, 0),
        ])
    func atomics(operation: Int32, memory: UInt64, fetched: UInt64) throws {
        // The cell holds 20, the operand is 10 and R0 is 20; the answer is cell + 1000 * fetched.
        let fetches = operation & 1 != 0 && operation != Opcode.atomicCmpxchg
        let r0 = try Machine().run([
            Asm.store(.double, 10, -8, 20), Asm.mov(1, 10), Asm.mov(0, 20),
            Asm.atomic(.double, operation, 10, -8, 1),
            Asm.mov(0, fetches ? 1 : 0), Asm.alu(Opcode.mul, 1, reg: 0), Asm.alu(Opcode.mul, 1, 1000),
            Asm.load(.double, 0, 10, -8), Asm.alu(Opcode.add, 0, reg: 1), Asm.exit,
        ])
        #expect(r0 == memory + 1000 * fetched)
    }

    @Test("the number iterator counts from start to end")
    func iterator() throws {
        var machine = Machine()
        machine.kfuncs = ["new", "next", "destroy"].map {
            KfuncPrototype(name: "bpf_iter_num_\($0)", function: BTFRef(btf: 1, id: TypeID(1)))
        }
        let r0 = try machine.run([
            Asm.mov(6, 0), Asm.mov(1, reg: 10), Asm.alu(Opcode.add, 1, -8), Asm.mov(2, 3), Asm.mov(3, 7),
            Asm.kfunc(0),
            Asm.mov(1, reg: 10), Asm.alu(Opcode.add, 1, -8), Asm.kfunc(1), Asm.jump(Opcode.jeq, 0, 0, 3),
            Asm.load(.word, 1, 0, 0), Asm.alu(Opcode.add, 6, reg: 1), Asm.goto(-7),
            Asm.mov(1, reg: 10), Asm.alu(Opcode.add, 1, -8), Asm.kfunc(2), Asm.mov(0, reg: 6), Asm.exit,
        ])
        #expect(r0 == 3 + 4 + 5 + 6)
    }

    @Test("the step hook sees registers and stack before each instruction")
    func steps() throws {
        let instance = try Machine().instance()
        let interpreter = try Machine().interpreter(
            [Asm.mov(3, 5), Asm.store(.double, 10, -8, reg: 3), Asm.mov(0, 0), Asm.exit], on: instance)
        var seen: [Interpreter.Step] = []
        interpreter.onStep = { seen.append($0) }
        _ = try interpreter.run(slots: [])
        #expect(seen.map(\.insn) == [0, 1, 2, 3])
        #expect(seen[0].registers[3].origin == .uninitialised)
        #expect(seen[1].registers[3] == .scalar(5))
        #expect(seen[2].stack[504] == 5 && seen[2].isInitialised[504] && !seen[2].isInitialised[503])
        #expect(interpreter.steps == 4)
    }
}

extension UInt8 {
    fileprivate var imm: Int32 { Int32(self) }
}
