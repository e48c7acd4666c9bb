import BPF
import Testing
import Verifier

/// Fields of map values that are more than data: kptrs, timers, work queues. And objects of the kernel that are held.
@Suite("Special fields") struct FieldTests {
    private let kernel = ResourceKernel.shared
    private let done = ResourceKernel.done

    /// R8 = a task with a reference; a program that finds none ends.
    private var task: [Instruction] {
        [
            Asm.mov(1, 1), kernel.call("bpf_task_from_pid"), Asm.jump(Opcode.jne, 0, 0, 2), Asm.mov(0, 0),
            Asm.exit,
            Asm.mov(8, reg: 0),
        ]
    }
    private func release(_ register: UInt8) -> [Instruction] {
        [Asm.mov(1, reg: register), kernel.call("bpf_task_release")]
    }
    /// Releases what may be NULL.
    private func releaseIfAny(_ register: UInt8) -> [Instruction] {
        [Asm.jump(Opcode.jeq, register, 0, 2)] + release(register)
    }

    @Test func tasksAreReleased() {
        expect(kernel.verdict(task + [Asm.load(.word, 1, 8, 0)] + release(8) + done), "")
        expect(kernel.verdict(task + done), "Unreleased reference")
        expect(
            kernel.verdict(task + release(8) + [Asm.load(.word, 1, 8, 0)] + done),
            "R8 invalid mem access 'scalar'")
    }

    // MARK: Kptrs. `owned` at 0, `loose` at 8, `local` at 16, a number at 24.

    private func exchange(at offset: Int32, with register: UInt8?) -> [Instruction] {
        [Asm.mov(1, reg: 6), Asm.add(1, offset), register.map { Asm.mov(2, reg: $0) } ?? Asm.mov(2, 0)]
            + [Asm.call(helper: "kptr_xchg"), Asm.mov(7, reg: 0)]
    }
    private var start: [Instruction] { kernel.value(of: "pointers") + task }

    @Test func ownedPointersAreExchanged() {
        expect(kernel.verdict(start + exchange(at: 0, with: 8) + releaseIfAny(7) + done), "")
        expect(kernel.verdict(start + exchange(at: 0, with: 8) + done), "Unreleased reference")
        expect(
            kernel.verdict(start + exchange(at: 0, with: 8) + releaseIfAny(7) + release(8) + done),
            "arg#0 expected pointer to struct task_struct, got scalar")
        let value = kernel.value(of: "pointers")
        expect(kernel.verdict(value + exchange(at: 0, with: nil) + releaseIfAny(7) + done), "")
        expect(kernel.verdict(value + exchange(at: 8, with: nil) + done), "kptr isn't referenced kptr")
        expect(kernel.verdict(value + exchange(at: 24, with: nil) + done), "off 24 doesn't point to")
        expect(kernel.verdict(start + exchange(at: 16, with: 8) + done), "expected=ptr_elem")
        let local = kernel.value(of: "pointers") + kernel.new(in: 8) + exchange(at: 16, with: 8)
        expect(kernel.verdict(local + [Asm.jump(Opcode.jeq, 7, 0, 3)] + kernel.drop(7) + done), "")
        expect(kernel.verdict(local + done), "Unreleased reference")
    }

    @Test(arguments: [
        (Asm.load(.double, 1, 6, 0), ""), (Asm.load(.word, 1, 6, 0), "kptr access size must be BPF_DW"),
        (Asm.load(.double, 1, 6, 4), "kptr access misaligned"),
        (Asm.store(.double, 6, 8, reg: 8), ""), (Asm.store(.double, 6, 8, 0), ""),
        (Asm.store(.double, 6, 0, reg: 8), "store to referenced kptr disallowed"),
        (Asm.store(.double, 6, 8, 5), "invalid kptr access"),
        (Asm.store(.double, 6, 8, reg: 6), "invalid kptr access"),
        (Asm.store(.double, 6, 24, 5), ""),
    ])
    func kptrsAreLoadedAndStoredWhole(_ access: Instruction, _ expected: String) {
        expect(kernel.verdict(start + [access] + release(8) + done), expected)
    }

    @Test func helpersLeaveKptrsAlone() {
        let fill = [Asm.mov(1, reg: 6), Asm.mov(2, 16), Asm.call(helper: "get_current_comm")]
        expect(
            kernel.verdict(kernel.value(of: "pointers") + fill + done), "kptr cannot be accessed indirectly")
    }

    @Test func loadedPointersLastAsLongAsTheRCUSection() {
        let load = [Asm.load(.double, 7, 6, 0)]
        let test = [Asm.jump(Opcode.jeq, 7, 0, 4)]
        let use = [Asm.mov(1, reg: 7), kernel.call("bpf_task_acquire"), Asm.mov(8, reg: 0)]
        let skip = [Asm.goto(1), Asm.mov(8, 0)]
        let inside =
            kernel.value(of: "pointers") + [kernel.call("bpf_rcu_read_lock")] + load + test + use + skip
            + [kernel.call("bpf_rcu_read_unlock")] + releaseIfAny(8) + done
        expect(kernel.verdict(inside, isSleepable: true), "")
        let after =
            kernel.value(of: "pointers") + [kernel.call("bpf_rcu_read_lock")] + load
            + [kernel.call("bpf_rcu_read_unlock")] + test + use + skip + releaseIfAny(8) + done
        expect(kernel.verdict(after, isSleepable: true), "R1 must be a rcu pointer")
        let never = kernel.value(of: "pointers") + load + test + use + skip + releaseIfAny(8) + done
        expect(kernel.verdict(never, isSleepable: true), "R1 must be a rcu pointer")
        // A program that never waits is in such a section as a whole.
        expect(kernel.verdict(never), "")
        let loose =
            kernel.value(of: "pointers") + [Asm.load(.double, 7, 6, 8)] + test + use + skip + releaseIfAny(8)
        expect(kernel.verdict(loose + done), "R1 must be a rcu pointer")
    }

    // MARK: Trust of fields

    @Test func someFieldsAreAsGoodAsTheirObject() {
        func pass(_ offset: Int16) -> [Instruction] {
            task + [
                Asm.load(.double, 1, 8, offset), kernel.call("bpf_task_acquire"), Asm.mov(7, reg: 0),
            ] + release(8) + releaseIfAny(7) + done
        }
        expect(kernel.verdict(pass(8)), "")
        expect(kernel.verdict(pass(16)), "R1 must be a rcu pointer")
        expect(kernel.verdict(pass(8), isSleepable: true), "R1 must be a rcu pointer")
    }

    // MARK: Timers

    private func timer(_ operation: String, _ extra: [Instruction] = [], at offset: Int32 = 0)
        -> [Instruction]
    {
        [Asm.mov(1, reg: 6), Asm.add(1, offset)] + extra + [Asm.call(helper: "timer_\(operation)")]
    }
    private func timed(_ callback: [Instruction]) -> String {
        let before =
            kernel.value(of: "timed") + timer("init", kernel.map(2, "timed") + [Asm.mov(3, 1)])
            + [Asm.mov(1, reg: 6)]
        let after =
            [Asm.call(helper: "timer_set_callback")]
            + timer("start", [Asm.mov(2, 1000), Asm.mov(3, 0)]) + done
        let insns = before + Asm.function(2, Int32(after.count + 1)) + after
        return kernel.verdict(insns + callback, functions: [(name: "fire", start: insns.count, takes: nil)])
    }

    @Test func timersCallBack() {
        expect(timed([Asm.load(.double, 4, 3, 16), Asm.load(.word, 5, 2, 0), Asm.mov(0, 0), Asm.exit]), "")
        expect(timed([Asm.mov(0, 1), Asm.exit]), "At async callback return the register R0")
        expect(timed([Asm.load(.double, 0, 3, 24), Asm.mov(0, 0), Asm.exit]), "invalid access to map value")
        expect(timed([Asm.store(.word, 2, 0, 1), Asm.mov(0, 0), Asm.exit]), "write to change key")
        let leak = [Asm.mov(1, 1), kernel.call("bpf_task_from_pid"), Asm.mov(0, 0), Asm.exit]
        expect(timed(leak), "Unreleased reference")
        // It sets itself again.
        let again =
            [Asm.mov(6, reg: 3), Asm.mov(1, reg: 6)] + Asm.function(2, -3) + [
                Asm.call(helper: "timer_set_callback"), Asm.mov(0, 0), Asm.exit,
            ]
        expect(timed(again), "")
    }

    @Test func timersBelongToTheirMap() {
        let value = kernel.value(of: "timed")
        expect(
            kernel.verdict(value + timer("init", kernel.map(2, "plain") + [Asm.mov(3, 1)]) + done),
            "doesn't match map pointer")
        expect(kernel.verdict(value + timer("cancel") + done), "")
        expect(
            kernel.verdict(value + timer("cancel", at: 16) + done),
            "off 16 doesn't point to 'struct bpf_timer'")
        expect(kernel.verdict(kernel.value(of: "plain") + timer("cancel") + done), "has no valid bpf_timer")
        expect(
            kernel.verdict(value + [Asm.load(.double, 1, 6, 8)] + done),
            "bpf_timer cannot be accessed directly")
    }

    @Test func workMayWait() {
        func work(_ callback: [Instruction]) -> String {
            let field = [Asm.mov(1, reg: 6), Asm.add(1, 8)]
            let before =
                kernel.value(of: "works") + field + kernel.map(2, "works") + [
                    Asm.mov(3, 0), kernel.call("bpf_wq_init"),
                ]
                + field
            let after = [Asm.mov(3, 0), Asm.mov(4, 0), kernel.call("bpf_wq_set_callback_impl")] + done
            let insns = before + Asm.function(2, Int32(after.count + 1)) + after
            return kernel.verdict(
                insns + callback, functions: [(name: "run", start: insns.count, takes: nil)])
        }
        let wait = task + [Asm.mov(1, reg: 8), kernel.call("css_rstat_flush")] + release(8) + done
        expect(work(wait), "")
        expect(
            work([Asm.load(.double, 0, 3, 8), Asm.mov(0, 0), Asm.exit]), "bpf_wq cannot be accessed directly")
        expect(timed(wait), "program must be sleepable")
    }

    // MARK: Maps of maps

    @Test func mapsInMapsAreLookedUpTwice() {
        let outer = kernel.value(of: "outer", in: 8)
        func inner(_ tests: Bool) -> [Instruction] {
            [Asm.mov(1, reg: 8), Asm.mov(2, reg: 10), Asm.add(2, -4), Asm.call(helper: "map_lookup_elem")]
                + (tests ? [Asm.jump(Opcode.jne, 0, 0, 2)] + done : [])
        }
        expect(kernel.verdict(outer + inner(true) + [Asm.load(.double, 1, 0, 24)] + done), "")
        expect(
            kernel.verdict(outer + inner(true) + [Asm.load(.double, 1, 0, 32)] + done),
            "invalid access to map value")
        expect(
            kernel.verdict(outer + inner(false) + [Asm.load(.double, 1, 0, 24)] + done), "map_value_or_null")
        expect(kernel.verdict(outer + [Asm.load(.double, 1, 8, 0)] + done), "invalid mem access 'map_ptr'")
        let untested =
            [Asm.store(.word, 10, -4, 0)] + kernel.map(1, "outer") + [
                Asm.mov(2, reg: 10), Asm.add(2, -4), Asm.call(helper: "map_lookup_elem"), Asm.mov(8, reg: 0),
            ]
        expect(kernel.verdict(untested + inner(true) + done), "expected=map_ptr")
    }
}
