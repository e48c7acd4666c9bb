import BPF
import Testing
import Verifier

/// Locks, RCU read-side sections, disabled preemption and interrupts.
@Suite("Regions") struct RegionTests {
    private let kernel = ResourceKernel.shared
    private let done = ResourceKernel.done

    private func verdict(_ names: [String], isSleepable: Bool = false) -> String {
        kernel.verdict(names.map { kernel.call($0) } + done, isSleepable: isSleepable)
    }

    @Test(arguments: [
        (["bpf_rcu_read_lock", "bpf_rcu_read_unlock"], ""),
        (["bpf_rcu_read_lock"], "cannot be used inside bpf_rcu_read_lock-ed region"),
        (["bpf_rcu_read_unlock"], "unmatched rcu read unlock"),
        (["bpf_rcu_read_lock", "bpf_rcu_read_lock"], "nested rcu read lock"),
        (["bpf_rcu_read_lock", "bpf_rcu_read_unlock", "bpf_rcu_read_unlock"], "unmatched rcu read unlock"),
        (["bpf_preempt_disable", "bpf_preempt_enable"], ""),
        (
            ["bpf_preempt_disable", "bpf_preempt_disable", "bpf_preempt_enable"],
            "cannot be used inside bpf_preempt_disable-ed region"
        ),
        (
            ["bpf_preempt_disable", "bpf_preempt_disable", "bpf_preempt_enable", "bpf_preempt_enable"], ""
        ),
        (["bpf_preempt_enable"], "unmatched attempt to enable preemption"),
    ])
    func regionsAreLeftAsTheyWereEntered(_ calls: [String], _ expected: String) {
        expect(verdict(calls), expected)
    }

    @Test func exceptionsAreRefusedByName() {
        expect(verdict(["bpf_throw"]), "unsupported: kfunc bpf_throw (exceptions)")
    }

    // MARK: Interrupts

    private func irq(_ operation: String, at offset: Int32) -> [Instruction] {
        [Asm.mov(1, reg: 10), Asm.add(1, offset), kernel.call("bpf_local_irq_\(operation)")]
    }

    @Test func interruptStatesAreRestoredInOrder() {
        let nested = irq("save", at: -8) + irq("save", at: -16)
        expect(kernel.verdict(nested + irq("restore", at: -16) + irq("restore", at: -8) + done), "")
        expect(
            kernel.verdict(nested + irq("restore", at: -8) + irq("restore", at: -16) + done), "out of order")
        expect(kernel.verdict(irq("save", at: -8) + done), "bpf_local_irq_save-ed region")
        expect(kernel.verdict(irq("restore", at: -8) + done), "expected an initialized irq flag")
        expect(
            kernel.verdict(irq("save", at: -8) + irq("save", at: -8) + done),
            "expected uninitialized irq flag")
        expect(
            kernel.verdict(irq("save", at: -8) + [Asm.store(.double, 10, -8, 0)] + done), "cannot overwrite")
        expect(
            kernel.verdict(irq("save", at: -8) + [Asm.load(.double, 3, 10, -8)] + done),
            "invalid read from stack")
    }

    // MARK: Waiting

    @Test func nothingWaitsWhereItMust() {
        let wait = [
            Asm.mov(1, 1), kernel.call("bpf_task_from_pid"), Asm.jump(Opcode.jeq, 0, 0, 5),
            Asm.mov(6, reg: 0), Asm.mov(1, reg: 0), kernel.call("css_rstat_flush"), Asm.mov(1, reg: 6),
            kernel.call("bpf_task_release"),
        ]
        func inside(_ open: [Instruction], _ close: [Instruction]) -> String {
            let leave = Array(wait[3...])
            return kernel.verdict(
                Array(wait[..<2]) + [
                    Asm.jump(Opcode.jeq, 0, 0, Int16(leave.count + open.count + close.count))
                ]
                    + open + [leave[0], leave[1], leave[2]] + close + [leave[3], leave[4]] + done,
                isSleepable: true)
        }
        expect(inside([], []), "")
        expect(kernel.verdict(wait + done, isSleepable: false), "program must be sleepable")
        expect(
            inside(
                [Asm.mov(8, reg: 0), kernel.call("bpf_rcu_read_lock"), Asm.mov(0, reg: 8)],
                [kernel.call("bpf_rcu_read_unlock")]),
            "within rcu_read_lock region")
        expect(
            inside(
                [Asm.mov(8, reg: 0), kernel.call("bpf_preempt_disable"), Asm.mov(0, reg: 8)],
                [kernel.call("bpf_preempt_enable")]),
            "within non-preemptible region")
        expect(
            inside([Asm.mov(8, reg: 0)] + irq("save", at: -8) + [Asm.mov(0, reg: 8)], irq("restore", at: -8)),
            "within IRQ-disabled region")
    }

    // MARK: Resilient locks

    private func resilient(_ operation: String, _ register: UInt8 = 6) -> [Instruction] {
        [Asm.mov(1, reg: register), kernel.call("bpf_res_spin_\(operation)")]
    }

    @Test func resilientLocksMayFail() {
        let taken = kernel.value(of: "guarded") + resilient("lock")
        let ifTaken = taken + [Asm.jump(Opcode.jne, 0, 0, 3), Asm.store(.double, 6, 8, 1)]
        expect(kernel.verdict(ifTaken + resilient("unlock") + done), "")
        expect(kernel.verdict(taken + resilient("unlock") + done), "without taking a lock")
        expect(kernel.verdict(taken + done), "bpf_spin_lock-ed region")
        let again = taken + [Asm.jump(Opcode.jne, 0, 0, 2)] + resilient("lock") + done
        expect(kernel.verdict(again), "AA deadlock")
    }

    @Test func resilientLocksNestInOrder() {
        let both =
            kernel.value(of: "guarded") + kernel.value(of: "guarded", in: 7, key: 1) + resilient("lock")
            + [Asm.jump(Opcode.jne, 0, 0, 10)] + resilient("lock", 7) + [Asm.jump(Opcode.jne, 0, 0, 5)]
        let onlyFirst = [Asm.goto(2)] + resilient("unlock")
        func program(_ first: UInt8, _ second: UInt8) -> [Instruction] {
            // Both taken: unlock in this order. Only the first: unlock it.
            both + resilient("unlock", first) + resilient("unlock", second) + onlyFirst + done
        }
        expect(kernel.verdict(program(7, 6)), "")
        expect(kernel.verdict(program(6, 7)), "out of order")
    }

    // MARK: Tail calls

    @Test func nothingIsHeldInATailCall() {
        let jump =
            [Asm.mov(1, reg: 9)] + kernel.map(2, "programs") + [Asm.mov(3, 0), Asm.call(helper: "tail_call")]
        let start = [Asm.mov(9, reg: 1)]
        expect(kernel.verdict(start + jump + done), "")
        expect(
            kernel.verdict(start + [kernel.call("bpf_rcu_read_lock")] + jump + done),
            "tail_call cannot be used inside bpf_rcu_read_lock-ed region")
        let held = [Asm.mov(1, 1), kernel.call("bpf_task_from_pid"), Asm.mov(6, reg: 0)]
        expect(kernel.verdict(start + held + jump + done), "Unreleased reference")
        let wrongMap =
            start + [Asm.mov(1, reg: 9)] + kernel.map(2, "plain") + [
                Asm.mov(3, 0), Asm.call(helper: "tail_call"),
            ]
        expect(kernel.verdict(wrongMap + done), "cannot pass map_type")
        expect(kernel.verdict([Asm.mov(9, 0)] + jump + done), "expected=ctx")
    }
}

/// `found` is the expected verdict: a part of it, or exactly nothing.
func expect(_ found: String, _ part: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let holds = part.isEmpty ? found.isEmpty : found.contains(part)
    #expect(holds, "got '\(found)', expected '\(part)'", sourceLocation: sourceLocation)
}
