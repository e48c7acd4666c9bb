import Foundation
import Testing

@testable import JIT

/// Every instruction that the AArch64 assembler knows, against the toolchain's disassembler.
@Suite("AArch64 assembler", .enabled(if: Disassembler.toolchain != nil, "no llvm-objdump beside clang"))
struct A64AssemblerTests {
    private typealias Emit = (inout A64Assembler) -> Void
    private static let (x1, x2, x3, x24) = (
        A64Register.x(1), A64Register.x(2), A64Register.x(3), A64Register.x(24)
    )

    private func expect(_ samples: [(Emit, String)]) throws {
        let chunks = samples.map { emit, _ in
            var assembler = A64Assembler()
            emit(&assembler)
            return assembler.finish()?.bytes ?? []
        }
        let texts = try Disassembler.disassemble(chunks, as: .aarch64)
        for (text, sample) in zip(texts, samples) { #expect(text == sample.1) }
    }

    @Test func arithmetic() throws {
        let (x1, x2, x3) = (Self.x1, Self.x2, Self.x3)
        try expect([
            ({ $0.operate(.add, .x, x1, x2, x3) }, "add x1, x2, x3"),
            ({ $0.operate(.add, .w, x1, x2, x3) }, "add w1, w2, w3"),
            ({ $0.operate(.sub, .x, x1, x2, x3) }, "sub x1, x2, x3"),
            ({ $0.operate(.sub, .w, x1, .zero, x3) }, "neg w1, w3"),
            ({ $0.operate(.and, .x, x1, x2, x3) }, "and x1, x2, x3"),
            ({ $0.operate(.or, .w, x1, x2, x3) }, "orr w1, w2, w3"),
            ({ $0.operate(.xor, .x, x1, x2, x3) }, "eor x1, x2, x3"),
            ({ $0.operate(.orNot, .x, x1, .zero, x3) }, "mvn x1, x3"),
            ({ $0.operate(.unsignedDivide, .w, x1, x2, x3) }, "udiv w1, w2, w3"),
            ({ $0.operate(.signedDivide, .x, x1, x2, x3) }, "sdiv x1, x2, x3"),
            ({ $0.operate(.shiftLeft, .w, x1, x2, x3) }, "lsl w1, w2, w3"),
            ({ $0.operate(.shiftRight, .x, x1, x2, x3) }, "lsr x1, x2, x3"),
            ({ $0.operate(.shiftRightSigned, .x, x1, x2, x3) }, "asr x1, x2, x3"),
            ({ $0.addShifted(x1, x2, x3, shift: 4) }, "add x1, x2, x3, lsl #4"),
            ({ $0.compare(.w, x1, x2) }, "cmp w1, w2"), ({ $0.test(.x, x1, x2) }, "tst x1, x2"),
            ({ $0.move(.x, x1, x2) }, "mov x1, x2"), ({ $0.move(.w, x1, .zero) }, "mov w1, wzr"),
            ({ $0.add(.x, x1, x2, immediate: 4095) }, "add x1, x2, #4095"),
            ({ $0.add(.w, x1, x2, immediate: -7) }, "sub w1, w2, #7"),
            ({ $0.add(.x, .framePointer, .sp, immediate: 0) }, "mov x29, sp"),
            ({ $0.add(.x, .sp, .sp, immediate: -512) }, "sub sp, sp, #512"),
            ({ $0.compare(.x, x1, immediate: 9) }, "cmp x1, #9"),
            ({ $0.compare(.w, x1, immediate: -9) }, "cmn w1, #9"),
            ({ $0.multiply(.w, x1, x2, x3) }, "mul w1, w2, w3"),
            (
                { $0.multiplySubtract(.x, x1, x2, x3, from: Self.x24) }, "msub x1, x2, x3, x24"
            ),
            ({ $0.set(x1, if: .notEqual) }, "cset x1, ne"),
        ])
    }

    @Test func bitFields() throws {
        let (x1, x2) = (Self.x1, Self.x2)
        try expect([
            ({ $0.shiftLeft(.x, x1, x2, count: 0) }, "lsr x1, x2, #0"),
            ({ $0.shiftLeft(.x, x1, x2, count: 63) }, "lsl x1, x2, #63"),
            ({ $0.shiftLeft(.w, x1, x2, count: 5) }, "lsl w1, w2, #5"),
            ({ $0.shiftRight(.w, x1, x2, count: 31) }, "lsr w1, w2, #31"),
            ({ $0.shiftRight(.x, x1, x2, count: 8) }, "lsr x1, x2, #8"),
            ({ $0.shiftRightSigned(.w, x1, x2, count: 7) }, "asr w1, w2, #7"),
            ({ $0.shiftRightSigned(.x, x1, x2, count: 63) }, "asr x1, x2, #63"),
            ({ $0.zeroExtend(x1, x2, from: 8) }, "uxtb w1, w2"),
            ({ $0.zeroExtend(x1, x2, from: 16) }, "uxth w1, w2"),
            ({ $0.signExtend(.x, x1, x2, from: 8) }, "sxtb x1, w2"),
            ({ $0.signExtend(.w, x1, x2, from: 16) }, "sxth w1, w2"),
            ({ $0.signExtend(.x, x1, x2, from: 32) }, "sxtw x1, w2"),
            ({ $0.reverseBytes(.w, x1, x2) }, "rev w1, w2"), ({ $0.reverseBytes(.x, x1, x2) }, "rev x1, x2"),
            ({ $0.reverseBytesOfHalves(x1, x2) }, "rev16 w1, w2"),
        ])
    }

    @Test func constants() throws {
        let x1 = Self.x1
        try expect([
            ({ $0.set(x1, 0) }, "mov x1, #0"), ({ $0.set(x1, 0xffff) }, "mov x1, #65535"),
            ({ $0.set(x1, 1 << 48) }, "mov x1, #281474976710656"),
            ({ $0.set(x1, .max) }, "mov x1, #-1"),
            ({ $0.set(x1, UInt64(bitPattern: -4097)) }, "mov x1, #-4097"),
            ({ $0.set(x1, 0x1234_5678) }, "mov x1, #22136; movk x1, #4660, lsl #16"),
            (
                { $0.set(x1, 0x1122_3344_5566_7788) },
                "mov x1, #30600; movk x1, #21862, lsl #16; movk x1, #13124, lsl #32; movk x1, #4386, lsl #48"
            ),
            ({ $0.set(x1, 0xffff_1234_ffff_5678) }, "mov x1, #-43400; movk x1, #4660, lsl #32"),
        ])
    }

    @Test func memory() throws {
        let (x1, x2, x3) = (Self.x1, Self.x2, Self.x3)
        try expect([
            ({ $0.load(.byte, x1, x2) }, "ldrb w1, [x2]"),
            ({ $0.load(.half, x1, x2, 2) }, "ldrh w1, [x2, #2]"),
            ({ $0.load(.word, x1, x2, 4) }, "ldr w1, [x2, #4]"),
            ({ $0.load(.double, x1, .sp, 32760) }, "ldr x1, [sp, #32760]"),
            ({ $0.load(.double, x1, x2, -8) }, "ldur x1, [x2, #-8]"),
            ({ $0.load(.word, x1, x2, 3) }, "ldur w1, [x2, #3]"),
            ({ $0.loadSigned(.byte, x1, x2, 1) }, "ldrsb x1, [x2, #1]"),
            ({ $0.loadSigned(.half, x1, x2, -2) }, "ldursh x1, [x2, #-2]"),
            ({ $0.loadSigned(.word, x1, x2, 8) }, "ldrsw x1, [x2, #8]"),
            ({ $0.store(.byte, x2, 1, x1) }, "strb w1, [x2, #1]"),
            ({ $0.store(.double, x2, -256, .zero) }, "stur xzr, [x2, #-256]"),
            ({ $0.push(x1, x2) }, "stp x1, x2, [sp, #-16]!"),
            ({ $0.pop(x1, .zero) }, "ldp x1, xzr, [sp], #16"),
            ({ $0.atomic(.add, .word, src: x1, dst: x3, x2) }, "ldaddal w1, w3, [x2]"),
            ({ $0.atomic(.clear, .double, src: x1, dst: x3, x2) }, "ldclral x1, x3, [x2]"),
            ({ $0.atomic(.xor, .double, src: x1, dst: x3, x2) }, "ldeoral x1, x3, [x2]"),
            ({ $0.atomic(.or, .word, src: x1, dst: x3, x2) }, "ldsetal w1, w3, [x2]"),
            ({ $0.atomic(.swap, .double, src: x1, dst: x1, x2) }, "swpal x1, x1, [x2]"),
            ({ $0.compareAndSwap(.word, expected: x1, new: x3, x2) }, "casal w1, w3, [x2]"),
            ({ $0.loadAcquire(.half, x1, x2) }, "ldarh w1, [x2]"),
            ({ $0.storeRelease(.double, x2, x1) }, "stlr x1, [x2]"),
            ({ $0.loadExclusive(.double, x1, x2) }, "ldaxr x1, [x2]"),
            ({ $0.storeExclusive(.word, x2, x1, failed: x3) }, "stlxr w3, w1, [x2]"),
            ({ $0.barrier() }, "dmb ish"),
        ])
    }

    @Test func branches() throws {
        let x1 = Self.x1
        func around(_ emit: @escaping (inout A64Assembler, Label) -> Void) -> Emit {
            { assembler in
                let label = assembler.makeLabel()
                emit(&assembler, label)
                assembler.trap()
                assembler.bind(label)
            }
        }
        let samples: [(Emit, String)] = [
            (around { $0.branch($1) }, "b"), (around { $0.call($1) }, "bl"),
            (around { $0.branch(.unsignedLower, $1) }, "b.lo"),
            (around { $0.branch(.lessOrEqual, $1) }, "b.le"),
            (around { $0.branchIfZero(.w, x1, $1) }, "cbz w1,"),
            (around { $0.branchIfNotZero(.x, x1, $1) }, "cbnz x1,"),
            (around { $0.loadAddress(x1, of: $1) }, "adr x1,"),
            ({ $0.branch(to: x1) }, "br x1"), ({ $0.call(x1) }, "blr x1"), ({ $0.ret() }, "ret"),
        ]
        let chunks = samples.map { emit, _ in
            var assembler = A64Assembler()
            emit(&assembler)
            return assembler.finish()?.bytes ?? []
        }
        // The disassembler prints targets as addresses: 8 bytes on, behind the trap.
        var address = 0
        for ((text, sample), chunk) in zip(
            zip(try Disassembler.disassemble(chunks, as: .aarch64), samples), chunks)
        {
            let target = chunk.count == 8 ? " 0x\(String(address + 8, radix: 16))" : ""
            #expect(text == sample.1 + target + (chunk.count == 8 ? "; brk #0" : ""))
            address += chunk.count
        }
    }

    @Test func refusesBranchesOutOfReach() {
        var assembler = A64Assembler()
        let label = assembler.makeLabel()
        assembler.branch(.equal, label)
        for _ in 0..<1 << 18 { assembler.trap() }
        assembler.bind(label)
        #expect(assembler.finish()?.bytes == nil)
    }
}
