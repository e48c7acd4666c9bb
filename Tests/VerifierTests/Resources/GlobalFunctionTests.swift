import BPF
import Testing
import Verifier

/// Global functions: bodies against their prototypes, callers too.
@Suite("Global functions") struct GlobalFunctionTests {
    private let kernel = ResourceKernel.shared
    private let done = ResourceKernel.done

    /// A program that sets up R1, calls the function, and returns what it returned.
    private func calling(
        _ takes: String, _ setUp: [Instruction], _ body: [Instruction], after: [Instruction] = []
    ) -> String {
        let main = setUp + [Asm.call(subprog: Int32(after.count + 1))] + after + [Asm.exit]
        return kernel.verdict(main + body, functions: [(name: "global", start: main.count, takes: takes)])
    }
    private let one = [Asm.mov(0, 1), Asm.exit]
    private let pair = [
        Asm.store(.double, 10, -16, 0), Asm.store(.double, 10, -8, 0), Asm.mov(1, reg: 10), Asm.add(1, -16),
    ]

    @Test func numbersAreUnknown() {
        expect(calling("number", [Asm.mov(1, 3)], one), "")
        expect(calling("number", [Asm.mov(1, reg: 10)], one), "R1 is not a scalar")
        // What is passed is not known inside, what is returned not outside.
        let index = [Asm.mov(2, reg: 10), Asm.add(2, reg: 1), Asm.load(.byte, 0, 2, -8), Asm.exit]
        expect(calling("number", [Asm.mov(1, 0)], [Asm.store(.double, 10, -8, 0)] + index), "unbounded")
        let outside = [Asm.mov(2, reg: 10), Asm.add(2, reg: 0), Asm.load(.byte, 0, 2, -16)]
        expect(calling("number", pair + [Asm.mov(1, 0)], one, after: outside), "unbounded")
        let bounded = [Asm.and(0, 7)] + outside
        expect(calling("number", pair + [Asm.mov(1, 0)], one, after: bounded), "")
    }

    @Test func memoryMayBeNull() {
        let read = [Asm.load(.double, 0, 1, 8), Asm.exit]
        let tested = [Asm.mov(0, 0), Asm.jump(Opcode.jeq, 1, 0, 1), Asm.load(.double, 0, 1, 8), Asm.exit]
        expect(calling("pair", pair, tested), "")
        expect(calling("pair", [Asm.mov(1, 0)], tested), "")
        expect(calling("pair", pair, read), "mem_or_null")
        expect(calling("pair_nonnull", pair, read), "")
        expect(calling("pair_nonnull", [Asm.mov(1, 0)], read), "R1 type=scalar")
        expect(calling("pair_nonnull", pair, [Asm.load(.double, 0, 1, 16), Asm.exit]), "mem_size=16")
        let small = [Asm.store(.double, 10, -8, 0), Asm.mov(1, reg: 10), Asm.add(1, -8)]
        expect(calling("pair", small, tested), "stack")
    }

    @Test func objectsAreTrusted() {
        let task = [
            Asm.mov(1, 1), kernel.call("bpf_task_from_pid"), Asm.jump(Opcode.jne, 0, 0, 2), Asm.mov(0, 0),
            Asm.exit,
            Asm.mov(6, reg: 0), Asm.mov(1, reg: 0),
        ]
        let release = [
            Asm.mov(7, reg: 0), Asm.mov(1, reg: 6), kernel.call("bpf_task_release"), Asm.mov(0, reg: 7),
        ]
        let read = [Asm.load(.word, 0, 1, 0), Asm.exit]
        expect(calling("task", task, read, after: release), "")
        expect(calling("task", [Asm.mov(1, 0)], read), "expected=trusted_ptr_task_struct")
        expect(calling("task", pair, read), "expected=trusted_ptr_task_struct")
        expect(calling("task_nullable", [Asm.mov(1, 0)], read), "ptr_or_null")
        let tested = [Asm.mov(0, 0), Asm.jump(Opcode.jeq, 1, 0, 1)] + read
        expect(calling("task_nullable", [Asm.mov(1, 0)], tested), "")
        let walked = task + [Asm.load(.double, 1, 6, 16)]
        expect(calling("task", walked, read, after: release), "expected=trusted_ptr_task_struct")
        // The reference stays with the caller.
        expect(
            calling("task", task, [kernel.call("bpf_task_release")] + one, after: release),
            "expects refcounted pointer")
    }

    @Test func contextsArePassedOn() {
        let jump =
            kernel.map(2, "programs") + [
                Asm.mov(3, 0), Asm.call(helper: "tail_call"), Asm.mov(0, 0), Asm.exit,
            ]
        expect(calling("context", [], jump), "")
        expect(calling("context", pair, jump), "expected pointer to ctx")
    }

    @Test func prototypesAreRefused() {
        expect(calling("arena", pair, one), "unsupported: an arena argument")
        expect(calling("unsized", pair, one), "size cannot be determined")
        expect(calling("pointer_result", [Asm.mov(1, 0)], one), "doesn't return scalar")
        expect(calling("missing", [Asm.mov(1, 0)], one), "has no prototype")
    }

    @Test func bodiesAreVerifiedAlone() {
        let leak = [Asm.mov(1, 1), kernel.call("bpf_task_from_pid")] + done
        expect(calling("number", [Asm.mov(1, 0)], leak), "Unreleased reference")
        // Only if a call of it is reached.
        let dead = [Asm.mov(0, 0), Asm.jump(Opcode.jeq, 0, 0, 1), Asm.call(subprog: 1), Asm.exit]
        expect(kernel.verdict(dead + leak, functions: [(name: "global", start: 4, takes: "number")]), "")
        let recursive = [Asm.mov(1, 0), Asm.call(subprog: -2), Asm.exit]
        expect(calling("number", [Asm.mov(1, 0)], recursive), "recursive call")
    }

    @Test func locksAreNotHeldOver() {
        let value = kernel.value(of: "graph")
        let lock = [Asm.mov(1, reg: 6), Asm.call(helper: "spin_lock"), Asm.mov(1, 0)]
        let unlock = [Asm.mov(1, reg: 6), Asm.call(helper: "spin_unlock"), Asm.mov(0, 0)]
        expect(
            calling("number", value + lock, one, after: unlock),
            "global function calls are not allowed while holding")
        let section = value + [kernel.call("bpf_rcu_read_lock"), Asm.mov(1, 0)]
        let leave = [kernel.call("bpf_rcu_read_unlock"), Asm.mov(0, 0)]
        expect(calling("number", section, one, after: leave), "")
    }

    @Test func sleepersAreKnownToTheirCallers() {
        let body = [
            Asm.mov(1, 1), kernel.call("bpf_task_from_pid"), Asm.jump(Opcode.jne, 0, 0, 2), Asm.mov(0, 0),
            Asm.exit,
            Asm.mov(6, reg: 0), Asm.mov(1, reg: 0), kernel.call("css_rstat_flush"), Asm.mov(1, reg: 6),
            kernel.call("bpf_task_release"), Asm.mov(0, 0), Asm.exit,
        ]
        let open = [kernel.call("bpf_rcu_read_lock"), Asm.mov(1, 0)]
        let main = open + [Asm.call(subprog: 3), kernel.call("bpf_rcu_read_unlock"), Asm.mov(0, 0), Asm.exit]
        expect(
            kernel.verdict(
                main + body, functions: [(name: "global", start: main.count, takes: "number")],
                isSleepable: true),
            "global function global is sleepable within rcu_read_lock region")
        let plain = [Asm.mov(1, 0), Asm.call(subprog: 1), Asm.exit]
        expect(
            kernel.verdict(
                plain + body, functions: [(name: "global", start: 3, takes: "number")], isSleepable: true), ""
        )
    }

    // MARK: Stacks

    /// A chain of functions, each with this many bytes of stack; the last may make a tail call.
    private func chain(_ bytes: [Int16], tailCall: Bool = false) -> String {
        var insns: [Instruction] = [Asm.mov(6, reg: 1)]
        var functions: [(name: String, start: Int, takes: String?)] = []
        for (index, size) in bytes.enumerated() {
            if index > 0 {
                functions.append((name: "f\(index)", start: insns.count, takes: nil))
                insns.append(Asm.mov(6, reg: 1))
            }
            if size > 0 { insns.append(Asm.store(.double, 10, -size, 0)) }
            if index + 1 < bytes.count {
                insns += [Asm.mov(1, reg: 6), Asm.call(subprog: 2)] + done
            } else if tailCall {
                insns += [Asm.mov(1, reg: 6)] + kernel.map(2, "programs")
                insns += [Asm.mov(3, 0), Asm.call(helper: "tail_call")] + done
            } else {
                insns += done
            }
        }
        return kernel.verdict(insns, functions: functions)
    }

    @Test func stacksOfAChainFit() {
        expect(chain([256, 256]), "")
        // Frames are counted in steps of 16 bytes.
        expect(chain([256, 248, 8]), "combined stack size of 3 calls is 528")
        expect(chain(Array(repeating: 0, count: 8)), "")
        expect(chain(Array(repeating: 0, count: 9)), "frames is too deep")
        expect(chain([240, 8], tailCall: true), "")
        expect(
            chain([256, 8], tailCall: true),
            "tail_calls are not allowed when call stack of previous frames is 256")
    }
}
