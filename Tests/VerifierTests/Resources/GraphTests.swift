import BPF
import Testing
import Verifier

/// Allocated objects, lists and trees.
@Suite("Lists and trees") struct GraphTests {
    private let kernel = ResourceKernel.shared
    private let done = ResourceKernel.done

    // MARK: Objects

    @Test func objectsAreDropped() {
        let write = [Asm.store(.double, 7, 64, 1)]
        expect(kernel.verdict(kernel.new() + write + kernel.drop(7) + done), "")
        expect(kernel.verdict(kernel.new() + done), "Unreleased reference")
        expect(
            kernel.verdict(kernel.new() + kernel.drop(7) + kernel.drop(7) + done),
            "arg#0 expected for bpf_obj_drop_impl()")
        expect(
            kernel.verdict(kernel.new() + kernel.drop(7) + [Asm.load(.double, 1, 7, 0)] + done),
            "R7 invalid mem access 'scalar'"
        )
        let untested = [Asm.mov(1, kernel.element), Asm.mov(2, 0), kernel.call("bpf_obj_new_impl")]
        expect(kernel.verdict(untested + [Asm.load(.double, 1, 0, 0)] + done), "ptr_or_null")
        expect(
            kernel.verdict(kernel.new() + [Asm.add(7, 8)] + kernel.drop(7) + done), "must have zero offset")
        let value = kernel.value(of: "plain", in: 7)
        expect(kernel.verdict(value + kernel.drop(7) + done), "expected for bpf_obj_drop_impl()")
    }

    @Test(arguments: [
        (Asm.load(.double, 1, 7, 64), ""),
        (Asm.load(.double, 1, 7, 72), "access beyond struct elem"),
        (Asm.load(.double, 1, 7, -8), "access beyond struct elem"),
        (Asm.load(.double, 1, 7, 8), "direct access to bpf_list_node is disallowed"),
        (Asm.store(.word, 7, 56, 1), "direct access to bpf_refcount is disallowed"),
        (Asm.store(.double, 7, 24, 1), "direct access to bpf_rb_node is disallowed"),
        (Asm.atomic(Int32(Opcode.add), .double, 7, 64, reg: 0), "BPF_ATOMIC"),
    ])
    func fieldsOfObjects(_ access: Instruction, _ expected: String) {
        expect(kernel.verdict(kernel.new() + [Asm.mov(0, 0), access] + kernel.drop(7) + done), expected)
    }

    @Test func onlyStructsAreAllocated() {
        func new(_ type: Int32) -> [Instruction] {
            [Asm.mov(1, type), Asm.mov(2, 0), kernel.call("bpf_obj_new_impl")] + done
        }
        expect(kernel.verdict(new(1)), "must be of a struct in program BTF")
        expect(kernel.verdict(new(100_000)), "must be of a struct in program BTF")
        let unknown = [Asm.call(helper: "get_prandom_u32"), Asm.mov(1, reg: 0), Asm.mov(2, 0)]
        expect(
            kernel.verdict(unknown + [kernel.call("bpf_obj_new_impl")] + done), "R1 must be a known constant")
    }

    @Test func countsAreAcquired() {
        func acquire(in register: UInt8) -> [Instruction] {
            [
                Asm.mov(1, reg: 7), Asm.mov(2, 0), kernel.call("bpf_refcount_acquire_impl"),
                Asm.mov(register, reg: 0),
            ]
        }
        // An owner's acquisition cannot fail, and each reference is dropped.
        let two = kernel.new() + acquire(in: 8)
        expect(kernel.verdict(two + kernel.drop(8) + kernel.drop(7) + done), "")
        expect(kernel.verdict(two + kernel.drop(7) + done), "Unreleased reference")
        // From what the list owns it may.
        let shared = kernel.value(of: "graph") + kernel.new() + locked(push + acquire(in: 8))
        expect(kernel.verdict(shared + kernel.drop(8) + done), "Possibly NULL pointer")
        expect(kernel.verdict(shared + [Asm.jump(Opcode.jeq, 8, 0, 3)] + kernel.drop(8) + done), "")
    }

    // MARK: Lists. R6 = value of `graph`: lock at 0, list at 8, tree at 24. R7 = an object.

    private func locked(_ body: [Instruction], in register: UInt8 = 6) -> [Instruction] {
        [Asm.mov(1, reg: register), Asm.call(helper: "spin_lock")] + body
            + [Asm.mov(1, reg: register), Asm.call(helper: "spin_unlock")]
    }
    private func pointer(_ register: UInt8, _ base: UInt8, _ offset: Int32) -> [Instruction] {
        [Asm.mov(register, reg: base), Asm.add(register, offset)]
    }
    private var push: [Instruction] { push(node: 8) }
    private func push(node: Int32, value: UInt8 = 6) -> [Instruction] {
        pointer(1, value, 8) + pointer(2, 7, node) + [
            Asm.mov(3, 0), Asm.mov(4, 0), kernel.call("bpf_list_push_front_impl"),
        ]
    }
    private var start: [Instruction] { kernel.value(of: "graph") + kernel.new() }

    @Test func objectsGoIntoLists() {
        expect(kernel.verdict(start + locked(push) + done), "")
        expect(kernel.verdict(start + push + done), "bpf_spin_lock at off=0 must be held for bpf_list_head")
        expect(
            kernel.verdict(start + locked(push(node: 24)) + done), "expects arg#1 at offset=8 in struct elem")
        expect(kernel.verdict(start + locked(push + push) + done), "allocated object must be referenced")
        expect(
            kernel.verdict(start + locked(push) + kernel.drop(7) + done),
            "arg#0 expected for bpf_obj_drop_impl()")
        let other = kernel.value(of: "graph") + kernel.value(of: "graph", in: 8, key: 1) + kernel.new()
        expect(kernel.verdict(other + locked(push(node: 8, value: 8)) + done), "not in the same allocation")
        expect(kernel.verdict(start + locked([Asm.mov(0, 0)]) + done), "Unreleased reference")
    }

    @Test func pushedObjectsStayUntilTheLockIsReleased() {
        let read = [Asm.load(.double, 1, 7, 64)]
        expect(kernel.verdict(start + locked(push + read) + done), "")
        expect(kernel.verdict(start + locked(push) + read + done), "R7 invalid mem access 'scalar'")
    }

    @Test func objectsComeOutOfLists() {
        let pop = pointer(1, 6, 8) + [kernel.call("bpf_list_pop_front"), Asm.mov(7, reg: 0)]
        let value = kernel.value(of: "graph")
        let test = [Asm.jump(Opcode.jne, 7, 0, 2)] + done + [Asm.add(7, -8)]
        expect(kernel.verdict(value + locked(pop) + test + kernel.drop(7) + done), "")
        expect(kernel.verdict(value + locked(pop) + done), "Unreleased reference")
        expect(kernel.verdict(value + pop + done), "must be held for bpf_list_head")
        let peek = pointer(1, 6, 8) + [kernel.call("bpf_list_front"), Asm.mov(7, reg: 0)]
        let look = [Asm.jump(Opcode.jeq, 7, 0, 1), Asm.load(.double, 1, 7, 56)]
        expect(kernel.verdict(value + locked(peek + look) + done), "")
        expect(kernel.verdict(value + locked(peek) + look + done), "R7 invalid mem access 'scalar'")
    }

    @Test func locksAllowOnlyWhatIsQuick() {
        expect(
            kernel.verdict(start + locked(kernel.drop(7)) + done),
            "function calls are not allowed while holding")
        let value = kernel.value(of: "graph")
        expect(
            kernel.verdict(value + locked([Asm.call(helper: "ktime_get_ns")]) + done),
            "function calls are not allowed while holding")
        expect(
            kernel.verdict(value + [Asm.load(.double, 1, 6, 8)] + done),
            "bpf_list_head cannot be accessed directly")
    }

    // MARK: Trees

    private func adding(_ callback: [Instruction]) -> String {
        let before =
            start + [Asm.mov(1, reg: 6), Asm.call(helper: "spin_lock")] + pointer(1, 6, 24)
            + pointer(2, 7, 24)
        let after =
            [
                Asm.mov(4, 0), Asm.mov(5, 0), kernel.call("bpf_rbtree_add_impl"), Asm.load(.double, 8, 7, 64),
                Asm.mov(1, reg: 6), Asm.call(helper: "spin_unlock"),
            ] + done
        let insns = before + Asm.function(3, Int32(after.count + 1)) + after
        return kernel.verdict(
            insns + callback, functions: [(name: "less", start: insns.count, takes: nil)])
    }

    @Test func objectsGoIntoTrees() {
        let compare = [
            Asm.load(.double, 3, 1, -24), Asm.load(.double, 4, 2, -24), Asm.mov(0, 0),
            Asm.jump(Opcode.jge, 3, reg: 4, 1), Asm.mov(0, 1), Asm.exit,
        ]
        expect(adding(compare), "")
        expect(adding([Asm.mov(0, 2), Asm.exit]), "should have been in [0, 1]")
        expect(adding([Asm.load(.double, 0, 1, 48), Asm.mov(0, 0), Asm.exit]), "access beyond struct elem")
        let second = pointer(1, 6, 24) + [Asm.mov(0, 0), Asm.exit]
        expect(adding(second), "R6 !read_ok")
    }

    @Test func objectsComeOutOfTrees() {
        let first =
            pointer(1, 6, 24) + [
                kernel.call("bpf_rbtree_first"), Asm.mov(7, 0), Asm.jump(Opcode.jeq, 0, 0, 5),
            ]
        let remove =
            pointer(1, 6, 24) + [Asm.mov(2, reg: 0), kernel.call("bpf_rbtree_remove"), Asm.mov(7, reg: 0)]
        let test = [Asm.jump(Opcode.jne, 7, 0, 2)] + done + [Asm.add(7, -24)]
        let value = kernel.value(of: "graph")
        expect(kernel.verdict(value + locked(first + remove) + test + kernel.drop(7) + done), "")
        expect(kernel.verdict(value + locked(first + remove) + done), "Unreleased reference")
        expect(kernel.verdict(value + first + remove + done), "must be held for bpf_rb_root")
    }
}
