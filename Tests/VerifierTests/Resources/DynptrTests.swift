import BPF
import Testing
import Verifier

/// Ring buffer records and dynptrs.
@Suite("Dynptrs") struct DynptrTests {
    private let kernel = ResourceKernel.shared
    private let done = ResourceKernel.done

    // MARK: Records

    private var reserve: [Instruction] {
        kernel.map(1, "ring") + [
            Asm.mov(2, 16), Asm.mov(3, 0), Asm.call(helper: "ringbuf_reserve"), Asm.jump(Opcode.jne, 0, 0, 2),
            Asm.mov(0, 0), Asm.exit, Asm.mov(6, reg: 0),
        ]
    }
    private var submit: [Instruction] {
        [Asm.mov(1, reg: 6), Asm.mov(2, 0), Asm.call(helper: "ringbuf_submit")]
    }

    @Test func recordsAreSubmittedOnce() {
        expect(kernel.verdict(reserve + [Asm.store(.double, 6, 8, 1)] + submit + done), "")
        expect(kernel.verdict(reserve + done), "Unreleased reference")
        expect(kernel.verdict(reserve + submit + submit + done), "R1 type=scalar expected=ringbuf_mem")
        expect(
            kernel.verdict(reserve + submit + [Asm.load(.double, 1, 6, 0)] + done),
            "R6 invalid mem access 'scalar'")
        expect(kernel.verdict(reserve + [Asm.store(.double, 6, 16, 1)] + submit + done), "mem_size=16")
        expect(kernel.verdict(reserve + [Asm.add(6, 8)] + submit + done), "must have zero offset")
        let value = kernel.value(of: "plain")
        expect(kernel.verdict(value + submit + done), "expected=ringbuf_mem")
    }

    @Test func recordsAreTestedAndOfConstantSize() {
        let untested =
            kernel.map(1, "ring") + [
                Asm.mov(2, 16), Asm.mov(3, 0), Asm.call(helper: "ringbuf_reserve"), Asm.mov(6, reg: 0),
            ]
        expect(kernel.verdict(untested + submit + done), "expected=ringbuf_mem")
        let variable =
            [Asm.call(helper: "get_prandom_u32"), Asm.and(0, 15), Asm.mov(7, reg: 0)] + kernel.map(1, "ring")
            + [
                Asm.mov(2, reg: 7), Asm.mov(3, 0), Asm.call(helper: "ringbuf_reserve"),
            ]
        expect(kernel.verdict(variable + done), "R2 is not a known constant")
    }

    // MARK: Dynptrs of the ring buffer

    /// A dynptr of 64 bytes of the ring at R10-32.
    private var made: [Instruction] {
        kernel.map(1, "ring") + [
            Asm.mov(2, 64), Asm.mov(3, 0), Asm.mov(4, reg: 10), Asm.add(4, -32),
            Asm.call(helper: "ringbuf_reserve_dynptr"),
        ]
    }
    private func dynptr(_ register: UInt8 = 1, at offset: Int32 = -32) -> [Instruction] {
        [Asm.mov(register, reg: 10), Asm.add(register, offset)]
    }
    private func submitted(at offset: Int32 = -32) -> [Instruction] {
        dynptr(at: offset) + [Asm.mov(2, 0), Asm.call(helper: "ringbuf_submit_dynptr")]
    }
    /// R0 = 8 bytes of it, or NULL.
    private var data: [Instruction] {
        dynptr() + [Asm.mov(2, 0), Asm.mov(3, 8), Asm.call(helper: "dynptr_data")]
    }

    @Test func dynptrsAreGivenUpOnce() {
        expect(kernel.verdict(made + submitted() + done), "")
        expect(kernel.verdict(made + done), "Unreleased reference")
        // Also where the reservation failed.
        let early = made + [Asm.jump(Opcode.jeq, 0, 0, 2)] + done
        expect(kernel.verdict(early + submitted() + done), "Unreleased reference")
        expect(kernel.verdict(made + submitted() + submitted() + done), "Expected an initialized dynptr")
        expect(kernel.verdict(submitted() + done), "Expected an initialized dynptr")
        expect(kernel.verdict(made + submitted(at: -24) + done), "Expected an initialized dynptr")
    }

    @Test func dynptrsStayWhole() {
        expect(
            kernel.verdict(made + [Asm.store(.byte, 10, -20, 1)] + submitted() + done),
            "cannot overwrite referenced dynptr")
        expect(kernel.verdict(made + made + submitted() + done), "cannot overwrite referenced dynptr")
        expect(
            kernel.verdict(made + [Asm.load(.double, 1, 10, -32)] + submitted() + done),
            "invalid read from stack")
        let filled = dynptr() + [Asm.mov(2, 16), Asm.call(helper: "get_current_comm")]
        expect(kernel.verdict(made + filled + submitted() + done), "potential write to dynptr")
    }

    @Test func slicesEndWithTheirDynptr() {
        let used = made + data + [Asm.jump(Opcode.jeq, 0, 0, 1), Asm.store(.double, 0, 0, 7)]
        expect(kernel.verdict(used + submitted() + done), "")
        expect(
            kernel.verdict(made + data + [Asm.store(.double, 0, 0, 7)] + submitted() + done), "mem_or_null")
        let beyond = made + data + [Asm.jump(Opcode.jeq, 0, 0, 1), Asm.store(.double, 0, 8, 7)]
        expect(kernel.verdict(beyond + submitted() + done), "mem_size=8")
        let late =
            made + data + [Asm.mov(6, reg: 0)] + submitted() + [
                Asm.jump(Opcode.jeq, 6, 0, 1), Asm.load(.double, 1, 6, 0),
            ]
        expect(kernel.verdict(late + done), "R6 invalid mem access 'scalar'")
    }

    @Test func aFailedSliceReleasesNothing() {
        // One way of the test the slice is NULL; the dynptr must still be submitted there.
        let leak = made + data + [Asm.jump(Opcode.jne, 0, 0, 2)] + done + submitted() + done
        expect(kernel.verdict(leak), "Unreleased reference")
    }

    @Test func oneTestSettlesOneSlice() {
        let two =
            made + data + [Asm.mov(6, reg: 0)] + data + [
                Asm.jump(Opcode.jeq, 6, 0, 1), Asm.store(.double, 0, 0, 7),
            ]
        expect(kernel.verdict(two + submitted() + done), "mem_or_null")
    }

    // MARK: Local dynptrs

    private func local(_ size: Int32) -> [Instruction] {
        [Asm.mov(1, reg: 6), Asm.mov(2, size), Asm.mov(3, 0)] + dynptr(4) + [
            Asm.call(helper: "dynptr_from_mem")
        ]
    }
    private var read: [Instruction] {
        dynptr(1, at: -48) + [Asm.mov(2, 8)] + dynptr(3) + [
            Asm.mov(4, 0), Asm.mov(5, 0), Asm.call(helper: "dynptr_read"), Asm.load(.double, 0, 10, -48),
            Asm.exit,
        ]
    }

    @Test func localDynptrsStandForMapValues() {
        let value = kernel.value(of: "plain")
        expect(kernel.verdict(value + local(32) + read), "")
        expect(kernel.verdict(value + local(33) + done), "invalid access to map value")
        let stack = [Asm.store(.double, 10, -8, 0), Asm.mov(6, reg: 10), Asm.add(6, -8)]
        expect(kernel.verdict(stack + local(8) + done), "Unsupported reg type fp")
        expect(kernel.verdict(read), "Expected an initialized dynptr")
        expect(kernel.verdict(value + local(32) + submitted() + done), "is an unacquired reference")
    }

    @Test func overwrittenDynptrsAreGone() {
        let value = kernel.value(of: "plain")
        let broken = value + local(32) + [Asm.store(.byte, 10, -20, 1)]
        expect(kernel.verdict(broken + done), "")
        expect(kernel.verdict(broken + read), "Expected an initialized dynptr")
        let remade =
            value + local(32) + data + [Asm.jump(Opcode.jne, 0, 0, 2)] + done + [Asm.mov(7, reg: 0)]
            + local(16)
        expect(kernel.verdict(remade + done), "")
        expect(
            kernel.verdict(remade + [Asm.load(.double, 1, 7, 0)] + done),
            "R7 invalid mem access 'scalar'")
    }

    // MARK: Kfuncs

    @Test func clonesShareTheReference() {
        let clone = dynptr() + dynptr(2, at: -64) + [kernel.call("bpf_dynptr_clone")]
        expect(kernel.verdict(made + clone + submitted(at: -64) + done), "")
        expect(
            kernel.verdict(made + clone + submitted(at: -64) + submitted() + done),
            "Expected an initialized dynptr")
        expect(kernel.verdict(clone + done), "Expected an initialized dynptr")
        expect(kernel.verdict(made + clone + done), "Unreleased reference")
    }

    @Test func slicesByKfuncAreReadOnly() {
        let slice =
            kernel.value(of: "plain") + local(32) + dynptr() + [
                Asm.mov(2, 0), Asm.mov(3, 0), Asm.mov(4, 8), kernel.call("bpf_dynptr_slice"),
                Asm.jump(Opcode.jne, 0, 0, 2),
            ] + done
        expect(kernel.verdict(slice + [Asm.load(.double, 1, 0, 0)] + done), "")
        expect(kernel.verdict(slice + [Asm.load(.double, 1, 0, 1)] + done), "mem_size=8")
        expect(kernel.verdict(slice + [Asm.store(.double, 0, 0, 1)] + done), "rdonly_mem")
    }

    @Test func aDynptrHandedOverIsNotChanged() {
        func passed(to body: [Instruction]) -> String {
            let main = kernel.value(of: "plain") + local(32) + dynptr() + [Asm.call(subprog: 2)] + done
            return kernel.verdict(main + body, functions: [(name: "use", start: main.count, takes: "dynptr")])
        }
        expect(passed(to: [kernel.call("bpf_dynptr_size"), Asm.exit]), "")
        let set = [Asm.mov(2, 0), Asm.mov(3, 1), Asm.mov(4, 0), kernel.call("bpf_dynptr_memset"), Asm.exit]
        expect(passed(to: set), "cannot pass pointer to const bpf_dynptr")
    }
}
