import Testing

@testable import BPF
@testable import JIT

/// The JIT's own copy of the opcode numbers (see there why) says what BPF's says.
@Suite("Opcodes") struct OpcodeTests {
    @Test("are those of the instruction set") func copies() {
        typealias Ours = JIT.Opcode
        typealias Theirs = BPF.Opcode
        #expect(
            [
                Ours.modeImm, Ours.modeAbs, Ours.modeInd, Ours.modeMem, Ours.modeMemSX, Ours.modeAtomic,
                Ours.add,
                Ours.sub, Ours.mul, Ours.div, Ours.or, Ours.and, Ours.lsh, Ours.rsh, Ours.neg, Ours.mod,
                Ours.xor,
                Ours.mov, Ours.arsh, Ours.end, Ours.ja, Ours.jeq, Ours.jgt, Ours.jge, Ours.jset, Ours.jne,
                Ours.jsgt,
                Ours.jsge, Ours.jlt, Ours.jle, Ours.jslt, Ours.jsle, Ours.jcond, Ours.loadImm64, Ours.call,
                Ours.callx,
                Ours.exit, Ours.mayGoto, Ours.gotoShort, Ours.gotoLong,
            ] == [
                Theirs.modeImm, Theirs.modeAbs, Theirs.modeInd, Theirs.modeMem, Theirs.modeMemSX,
                Theirs.modeAtomic,
                Theirs.add, Theirs.sub, Theirs.mul, Theirs.div, Theirs.or, Theirs.and, Theirs.lsh, Theirs.rsh,
                Theirs.neg, Theirs.mod, Theirs.xor, Theirs.mov, Theirs.arsh, Theirs.end, Theirs.ja,
                Theirs.jeq,
                Theirs.jgt, Theirs.jge, Theirs.jset, Theirs.jne, Theirs.jsgt, Theirs.jsge, Theirs.jlt,
                Theirs.jle,
                Theirs.jslt, Theirs.jsle, Theirs.jcond, Theirs.loadImm64, Theirs.call, Theirs.callx,
                Theirs.exit,
                Theirs.mayGoto, Theirs.gotoShort, Theirs.gotoLong,
            ])
        #expect(
            [
                Ours.atomicFetch, Ours.atomicXchg, Ours.atomicCmpxchg, Ours.atomicLoadAcquire,
                Ours.atomicStoreRelease,
            ] == [
                Theirs.atomicFetch, Theirs.atomicXchg, Theirs.atomicCmpxchg, Theirs.atomicLoadAcquire,
                Theirs.atomicStoreRelease,
            ])
    }
}
