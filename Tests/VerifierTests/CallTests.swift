import BPF
import Testing
import Verifier

/// Helpers, maps, locks, subprogs and callbacks.
@Suite("Calls") struct CallTests {
    private static let array = MapDescription(
        name: "array", type: .array, keySize: 4, valueSize: 16, maxEntries: 8)
    private static let locked: (map: MapDescription, btf: BTF) = {
        var b = BTFBuilder()
        let u32 = b.int("unsigned int", byteCount: 4)
        let lock = b.structure("bpf_spin_lock", byteCount: 4, [("val", u32, 0)])
        let value = b.structure("value", byteCount: 16, [("count", u32, 0), ("lock", lock, 4)])
        do {
            return (
                MapDescription(
                    name: "locked", type: .hash, keySize: 4, valueSize: 16, maxEntries: 8, valueType: value),
                try b.build()
            )
        } catch { fatalError("\(error)") }
    }()

    private func problem(_ outcome: VerificationOutcome) -> String { outcome.report?.problem ?? "" }

    private func check(_ insns: [Instruction], subprogs: [ProgramImage.Subprog] = []) -> VerificationOutcome {
        verify(
            ProgramImage(
                name: "test", section: "test", insns: insns, subprogs: subprogs,
                maps: [Self.array, Self.locked.map],
                btf: Self.locked.btf),
            in: .memory(64))
    }

    // MARK: Maps

    private func lookup(_ map: Int32, keyIsWritten: Bool = true) -> [Instruction] {
        (keyIsWritten ? [Asm.store(.word, 10, -4, 0)] : []) + Asm.map(1, map)
            + [Asm.mov(2, reg: 10), Asm.add(2, -4), Asm.call(helper: "map_lookup_elem")]
    }

    @Test func valuesAreTestedAndBounded() throws {
        let good =
            lookup(0) + [
                Asm.jump(Opcode.jeq, 0, 0, 2), Asm.store(.double, 0, 8, 1), Asm.mov(0, 0), Asm.mov(0, 0),
                Asm.exit,
            ]
        let program = try #require(check(good).program, "\(problem(check(good)))")
        #expect(program.facts[5].constantMap == 0)
        let untested = [Asm.load(.word, 0, 0, 0), Asm.exit]
        #expect(check(lookup(0) + untested).program != nil, "an array has an element for the constant 0")
        let key = [Asm.store(.word, 10, -4, 99)]
        #expect(
            problem(check(key + lookup(0, keyIsWritten: false) + untested))
                == "R0 invalid mem access 'map_value_or_null'")
        let beyond =
            lookup(0) + [Asm.jump(Opcode.jeq, 0, 0, 1), Asm.load(.double, 0, 0, 9), Asm.mov(0, 0), Asm.exit]
        #expect(problem(check(beyond)).contains("invalid access to map value"))
        // Bytes never written read as 0: the runtime sees to it.
        let unwritten = try #require(
            check(lookup(0, keyIsWritten: false) + [Asm.mov(0, 0), Asm.exit]).program)
        #expect(unwritten.frames[0].readsUninitialised && !program.frames[0].readsUninitialised)
    }

    @Test func constantIndicesOfArraysAreThere() {
        func read(_ key: Instruction) -> [Instruction] {
            [key] + Asm.map(1, 0) + [
                Asm.mov(2, reg: 10), Asm.add(2, -8), Asm.call(helper: "map_lookup_elem"),
                Asm.load(.word, 0, 0, 0), Asm.exit,
            ]
        }
        let last = read(Asm.store(.word, 10, -8, 7))
        #expect(check(last).program != nil, "\(problem(check(last)))")
        #expect(
            problem(check(read(Asm.store(.word, 10, -8, 8)))) == "R0 invalid mem access 'map_value_or_null'")
        let unknown = [Asm.call(helper: "get_prandom_u32"), Asm.and(0, 7)]
        #expect(
            problem(check(unknown + read(Asm.store(.word, 10, -8, reg: 0))))
                == "R0 invalid mem access 'map_value_or_null'")
    }

    @Test func oneCheckSettlesCopiesAndSpills() {
        let insns =
            lookup(0) + [
                Asm.mov(6, reg: 0), Asm.store(.double, 10, -16, reg: 0), Asm.jump(Opcode.jeq, 6, 0, 3),
                Asm.load(.double, 7, 10, -16), Asm.load(.word, 1, 7, 0), Asm.load(.word, 1, 0, 4),
                Asm.mov(0, 0), Asm.exit,
            ]
        #expect(check(insns).program != nil, "\(problem(check(insns)))")
    }

    @Test func helpersNotOfferedAreRefused() {
        var context = ProgramContext.memory(64)
        context.helpers = []
        context.refusedHelpers = [5: "time stands still"]
        let image = ProgramImage(
            name: "t", section: "t", insns: [Asm.call(helper: "ktime_get_ns"), Asm.exit])
        let report = verify(image, in: context).report
        #expect(report?.category == .executionContext && report?.reason == "time stands still")
    }

    // MARK: Locks

    private func withLock(_ body: [Instruction], unlocks: Bool = true) -> [Instruction] {
        let lock = [Asm.mov(1, reg: 6), Asm.add(1, 4)]
        let inside =
            lock + [Asm.call(helper: "spin_lock")] + body
            + (unlocks ? lock + [Asm.call(helper: "spin_unlock")] : [])
        return lookup(1) + [Asm.mov(6, reg: 0), Asm.jump(Opcode.jeq, 0, 0, Int16(inside.count))] + inside + [
            Asm.mov(0, 0), Asm.exit,
        ]
    }

    @Test func locksAreTakenAndReleased() {
        #expect(
            check(withLock([Asm.store(.word, 6, 0, 1)])).program != nil, "\(problem(check(withLock([]))))")
        #expect(
            problem(check(withLock([], unlocks: false)))
                == "BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region")
        #expect(
            problem(check(withLock([Asm.call(helper: "ktime_get_ns")]))).contains(
                "not allowed while holding a lock"))
        #expect(problem(check(withLock([Asm.store(.word, 6, 4, 1)]))).contains("cannot be accessed directly"))
        let twice = [Asm.mov(1, reg: 6), Asm.add(1, 4), Asm.call(helper: "spin_lock")]
        #expect(check(withLock(twice)).program == nil)
    }

    // MARK: Subprogs

    @Test func subprogsHaveTheirOwnStack() throws {
        let insns = [
            Asm.store(.double, 10, -8, 1), Asm.mov(1, reg: 10), Asm.add(1, -8), Asm.call(subprog: 2),
            Asm.load(.double, 0, 10, -8),
            Asm.exit, Asm.store(.double, 10, -16, 3), Asm.load(.double, 2, 1, 0),
            Asm.store(.double, 1, 0, reg: 2),
            Asm.mov(0, 0), Asm.exit,
        ]
        let program = try #require(
            check(insns, subprogs: [.init(name: "main", start: 0), .init(name: "sub", start: 6)]).program)
        #expect(program.frames.map(\.stackBytes) == [8, 16] && program.stackBytes == 24)
    }

    @Test func danglingStackPointersAreRefused() {
        let subprogs: [ProgramImage.Subprog] = [.init(name: "main", start: 0), .init(name: "sub", start: 3)]
        let returned = [Asm.call(subprog: 2), Asm.mov(0, 0), Asm.exit, Asm.mov(0, reg: 10), Asm.exit]
        #expect(problem(check(returned, subprogs: subprogs)) == "cannot return stack pointer to the caller")
        let subprogs2: [ProgramImage.Subprog] = [.init(name: "main", start: 0), .init(name: "sub", start: 6)]
        let stored = [
            Asm.store(.double, 10, -8, 0), Asm.mov(1, reg: 10), Asm.add(1, -8), Asm.call(subprog: 2),
            Asm.mov(0, 0), Asm.exit,
            Asm.store(.double, 1, 0, reg: 10), Asm.mov(0, 0), Asm.exit,
        ]
        #expect(problem(check(stored, subprogs: subprogs2)).contains("stack frame of the caller"))
    }

    @Test func stacksAddUp() {
        let subprogs: [ProgramImage.Subprog] = [.init(name: "main", start: 0), .init(name: "sub", start: 4)]
        let insns = [
            Asm.store(.double, 10, -304, 0), Asm.call(subprog: 2), Asm.mov(0, 0), Asm.exit,
            Asm.store(.double, 10, -304, 0),
            Asm.mov(0, 0), Asm.exit,
        ]
        #expect(problem(check(insns, subprogs: subprogs)).contains("combined stack size"))
    }

    @Test func recursionIsRefused() {
        let subprogs: [ProgramImage.Subprog] = [.init(name: "main", start: 0), .init(name: "sub", start: 2)]
        let insns = [Asm.call(subprog: 1), Asm.exit, Asm.call(subprog: -1), Asm.exit]
        #expect(problem(check(insns, subprogs: subprogs)).contains("recursive call of sub"))
    }

    // MARK: Callbacks

    /// `bpf_loop(1000000, callback, &local, 0)` with a local of 8 bytes at R10-8.
    private func looping(_ callback: [Instruction], after: [Instruction] = []) -> VerificationOutcome {
        let tail = [Asm.mov(4, 0), Asm.call(helper: "loop")] + after + [Asm.mov(0, 0), Asm.exit]
        let head = [Asm.store(.double, 10, -8, 0), Asm.mov(1, 1_000_000)]
        let context = [Asm.mov(3, reg: 10), Asm.add(3, -8)]
        let start = head.count + 2 + context.count + tail.count
        let insns = head + Asm.function(2, Int32(context.count + tail.count + 1)) + context + tail + callback
        return check(insns, subprogs: [.init(name: "main", start: 0), .init(name: "turn", start: start)])
    }

    @Test func callbackTurnsAreVerifiedOnce() throws {
        let outcome = looping([
            Asm.load(.double, 3, 2, 0), Asm.add(3, 1), Asm.store(.double, 2, 0, reg: 3), Asm.mov(0, 0),
            Asm.exit,
        ])
        let program = try #require(outcome.program, "\(problem(outcome))")
        #expect(program.processed < 100 && program.bound > 1 << 23)
        #expect(program.frames[1].isCallback)
    }

    @Test func whatATurnChangesIsNotAssumedAfterwards() {
        // The local starts as 0 and grows: as an index into 16 bytes of stack it is only good if checked.
        let grow = [
            Asm.load(.double, 3, 2, 0), Asm.add(3, 1), Asm.store(.double, 2, 0, reg: 3), Asm.mov(0, 0),
            Asm.exit,
        ]
        func index(limit: Int32?) -> [Instruction] {
            [Asm.store(.double, 10, -24, 0), Asm.store(.double, 10, -16, 0), Asm.load(.double, 3, 10, -8)]
                + (limit.map { [Asm.jump(Opcode.jgt, 3, $0, 3)] } ?? [])
                + [Asm.mov(4, reg: 10), Asm.add(4, reg: 3), Asm.load(.byte, 5, 4, -24)]
        }
        #expect(looping(grow, after: index(limit: nil)).program == nil)
        #expect(
            looping(grow, after: index(limit: 15)).program != nil,
            "\(problem(looping(grow, after: index(limit: 15))))")
        #expect(looping(grow, after: index(limit: 24)).program == nil)
    }

    @Test func callbackMistakesAreRefused() {
        #expect(problem(looping([Asm.mov(0, 2), Asm.exit])).contains("should have been in [0, 1]"))
        #expect(problem(looping([Asm.load(.double, 0, 2, 8), Asm.exit])).contains("stack"))
        // A pointer left in the local by one turn is no number for the next.
        let pointer = [Asm.store(.double, 2, 0, reg: 2), Asm.mov(0, 0), Asm.exit]
        #expect(
            looping(pointer, after: [Asm.load(.double, 3, 10, -8), Asm.alu(Opcode.mul, 3, 3)]).program == nil)
    }
}
