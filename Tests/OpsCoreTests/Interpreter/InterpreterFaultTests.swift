import BPF
import Testing
import Verifier

@testable import OpsCore

/// What no verified program does must be found when it happens.
@Suite("Interpreter faults") struct InterpreterFaultTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        var name: String
        var rule: InterpreterFault.Rule
        var insns: [Instruction]
        var subprogStarts: [Int] = []
        var testDescription: String { name }
    }

    static let samples: [Sample] = [
        Sample(name: "unset register", rule: .uninitialisedRegister, insns: [Asm.mov(0, reg: 3), Asm.exit]),
        Sample(
            name: "unset stack", rule: .uninitialisedStack,
            insns: [Asm.store(.word, 10, -8, 1), Asm.load(.double, 0, 10, -8), Asm.exit]),
        Sample(
            name: "number as address", rule: .notAPointer,
            insns: [Asm.mov(1, 4096), Asm.load(.byte, 0, 1, 0)]),
        Sample(name: "above the stack", rule: .outOfBounds, insns: [Asm.store(.byte, 10, 0, 1)]),
        Sample(name: "below the stack", rule: .outOfBounds, insns: [Asm.store(.double, 10, -520, 1)]),
        Sample(name: "across the stack's end", rule: .outOfBounds, insns: [Asm.store(.double, 10, -4, 1)]),
        Sample(name: "write to the context", rule: .readOnly, insns: [Asm.store(.double, 1, 0, 1)]),
        Sample(name: "beyond the context", rule: .outOfBounds, insns: [Asm.load(.double, 0, 1, 8)]),
        Sample(
            name: "part of a spilled pointer", rule: .notAPointer,
            insns: [
                Asm.store(.double, 10, -8, reg: 1), Asm.store(.byte, 10, -8, 0), Asm.load(.double, 1, 10, -8),
                Asm.load(.double, 0, 1, 0),
            ]),
        Sample(
            name: "the callee's stack after its return", rule: .dangling,
            insns: [Asm.subprog(2), Asm.load(.double, 0, 0, -8), Asm.exit, Asm.mov(0, reg: 10), Asm.exit],
            subprogStarts: [3]),
        Sample(
            name: "a callee's stack at the same depth as another's", rule: .dangling,
            insns: [
                Asm.subprog(4), Asm.mov(1, reg: 0), Asm.subprog(4), Asm.exit, Asm.exit,
                Asm.mov(0, reg: 10), Asm.exit, Asm.store(.byte, 1, -1, 0), Asm.exit,
            ], subprogStarts: [5, 7]),
        Sample(
            name: "endless recursion", rule: .stack, insns: [Asm.subprog(-1), Asm.exit]),
        Sample(name: "beyond the end", rule: .badInstruction, insns: [Asm.mov(0, 0)]),
        Sample(name: "jump before the start", rule: .badInstruction, insns: [Asm.goto(-5)]),
        Sample(name: "write to R10", rule: .badInstruction, insns: [Asm.mov(10, 0)]),
        Sample(name: "register 11", rule: .badInstruction, insns: [Asm.mov(11, 0)]),
        Sample(
            name: "R1 after a call", rule: .uninitialisedRegister, insns: [Asm.helper(5), Asm.mov(0, reg: 1)]),
        Sample(name: "unknown helper", rule: .unknownCall, insns: [Asm.helper(9999)]),
        Sample(name: "unknown kfunc", rule: .unknownCall, insns: [Asm.kfunc(0)]),
        Sample(name: "endless loop", rule: .steps, insns: [Asm.goto(-1)]),
        Sample(
            name: "value of a lookup that found nothing", rule: .notAPointer,
            insns: lookup(key: 9, map: 0) + [Asm.load(.double, 0, 0, 0)]),
        Sample(
            name: "beyond a value", rule: .outOfBounds,
            insns: lookup(key: 0, map: 0) + [Asm.load(.double, 0, 0, 4)]),
        Sample(
            name: "before a value", rule: .outOfBounds,
            insns: lookup(key: 1, map: 0) + [Asm.load(.double, 0, 0, -8)]),
        Sample(
            name: "write to a read-only map", rule: .readOnly,
            insns: Asm.mapValue(1, 2) + [Asm.store(.byte, 1, 0, 1)]),
        Sample(
            name: "beyond global data", rule: .outOfBounds,
            insns: Asm.mapValue(1, 2, 4) + [Asm.load(.byte, 0, 1, 0)]),
        Sample(
            name: "into a map's handle", rule: .notAPointer, insns: Asm.map(1, 0) + [Asm.load(.byte, 0, 1, 0)]
        ),
        Sample(
            name: "key that was never written", rule: .uninitialisedStack,
            insns: Asm.map(1, 0) + [Asm.mov(2, reg: 10), Asm.alu(Opcode.add, 2, -4), Asm.helper(1)]),
        Sample(name: "no map in R1", rule: .argument, insns: [Asm.mov(1, 0), Asm.mov(2, 0), Asm.helper(1)]),
        Sample(
            name: "unlock of what is not held", rule: .argument, insns: [Asm.mov(1, reg: 10), Asm.helper(94)]),
        Sample(
            name: "32-bit arithmetic on a pointer makes a number", rule: .notAPointer,
            insns: [Asm.mov(2, 0), Asm.alu32(Opcode.add, 1, reg: 2), Asm.load(.byte, 0, 1, 0)]),
        Sample(
            name: "pointer to stack stored in a map is a number", rule: .notAPointer,
            insns: lookup(key: 0, map: 1) + [
                Asm.store(.double, 0, 0, reg: 10), Asm.load(.double, 1, 0, 0), Asm.load(.byte, 0, 1, -1),
            ]),
    ]

    /// Looks up a 4-byte key; leaves the value in R0.
    static func lookup(key: Int32, map: Int32) -> [Instruction] {
        [Asm.store(.word, 10, -4, key)] + Asm.map(1, map)
            + [Asm.mov(2, reg: 10), Asm.alu(Opcode.add, 2, -4), Asm.helper(1)]
    }

    @Test("breaks its rule", arguments: samples)
    func faults(_ sample: Sample) throws {
        var machine = Machine()
        var frozen = TestMap.array(".rodata", valueSize: 4, maxEntries: 1)
        frozen.isReadOnly = true
        machine.maps = [TestMap.array(valueSize: 8, maxEntries: 2), TestMap.array(valueSize: 16), frozen]
        machine.subprogStarts = sample.subprogStarts
        machine.options.stepLimit = 10_000
        #expect(try machine.rule(sample.insns, slots: [0]) == sample.rule)
    }

    @Test("an instruction judged unreachable, and one that is poisoned")
    func judged() throws {
        let instance = try Machine().instance()
        let insns = [Asm.mov(0, 0), Asm.exit]
        let image = ProgramImage(
            name: "p", section: "s", insns: insns, poisons: [1: "tcp_sock.x is not modelled"])
        #expect(throws: InterpreterFault(.poisoned, insn: 1, "tcp_sock.x is not modelled")) {
            _ = try Interpreter(unverified: image, on: instance).run(slots: [])
        }
        let clean = ProgramImage(name: "p", section: "s", insns: insns)
        #expect(throws: InterpreterFault(.unreachable, insn: 0, "reached")) {
            let facts = [InsnFacts(), InsnFacts()]
            _ = try Interpreter(unverified: clean, facts: facts, on: instance).run(slots: [])
        }
    }

    @Test("locks: nested, kept over a call, kept at exit, reached as data")
    func locks() throws {
        let fixture = try LockedValue()
        var machine = Machine()
        machine.maps = [fixture.map]
        machine.btf = fixture.btf
        let value = Self.lookup(key: 0, map: 0) + [Asm.mov(6, reg: 0)]
        let take = [Asm.mov(1, reg: 6), Asm.alu(Opcode.add, 1, 8), Asm.helper(93)]
        let leave = [Asm.mov(1, reg: 6), Asm.alu(Opcode.add, 1, 8), Asm.helper(94)]
        let end = [Asm.mov(0, 0), Asm.exit]
        #expect(try machine.rule(value + take + leave + end) == nil)
        #expect(try machine.rule(value + take + take) == .lock)
        #expect(try machine.rule(value + take + end) == .lock)
        #expect(try machine.rule(value + take + [Asm.helper(5)]) == .lock)
        #expect(try machine.rule(value + leave) == .lock)
        #expect(try machine.rule(value + [Asm.mov(1, reg: 6), Asm.helper(93)]) == .argument)
        #expect(try machine.rule(value + [Asm.load(.word, 0, 6, 8), Asm.exit]) == .specialField)
    }

    @Test("references: released twice, kept at exit")
    func references() throws {
        var machine = Machine()
        let function = BTFRef(btf: 1, id: TypeID(1))
        machine.kfuncs = [
            KfuncPrototype(name: "bpf_rcu_read_lock", function: function),
            KfuncPrototype(name: "bpf_rcu_read_unlock", function: function),
        ]
        #expect(try machine.rule([Asm.kfunc(0), Asm.kfunc(1), Asm.mov(0, 0), Asm.exit]) == nil)
        #expect(try machine.rule([Asm.kfunc(0), Asm.mov(0, 0), Asm.exit]) == .section)
        #expect(try machine.rule([Asm.kfunc(1)]) == .section)
    }

    @Test("stores into objects only where the subsystem allows")
    func objectStores() throws {
        var machine = Machine()
        let arena = try Arena(byteCount: 1 << 16)
        let pool = try arena.makePool("sock", byteCount: 32)
        let object = UInt64(UInt(bitPattern: try arena.allocate(pool)))
        machine.arena = arena
        machine.options.mayStore = { _, offset, count in offset >= 8 && offset + count <= 16 }
        func store(_ offset: Int16) -> [Instruction] {
            [Asm.load(.double, 1, 1, 0), Asm.store(.double, 1, offset, 1), Asm.mov(0, 0), Asm.exit]
        }
        #expect(try machine.rule(store(8), slots: [object]) == nil)
        #expect(try machine.rule(store(16), slots: [object]) == .readOnly)
        #expect(try machine.rule(store(32), slots: [object]) == .outOfBounds)
    }
}
