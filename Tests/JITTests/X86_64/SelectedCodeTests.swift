import BPF
import Foundation
import JIT
import Testing

@testable import Verifier

/// Which instructions the optimiser finds, and that they compute the same as what is translated step by step.
@Suite(
    "Selected code",
    .enabled(if: Disassembler.toolchain != nil, "needs clang and llvm-objdump side by side on PATH"))
struct SelectedCodeTests {
    /// Machine code of all subprograms, one text. Calls the program both ways with some arguments on the way.
    private func code(_ insns: [Instruction], subprogs: [Int] = [0]) throws -> String {
        let program = trusted(insns, subprogs: subprogs)
        let fast = try Runner([program])
        let plain = try Runner([program], options: CompileOptions(optimises: false))
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 8)
        defer { memory.deallocate() }
        let address = UInt64(UInt(bitPattern: memory))
        for argument in [0, 1, 2, 3, 7, 8, 15, 16, 1000, 0x7fff_ffff, 0xffff_ffff, 1 << 40, .max] as [UInt64]
        {
            let results = [fast, plain].map { runner in
                for offset in 0..<256 {
                    memory.storeBytes(of: UInt8(offset * 7 & 0xff), toByteOffset: offset, as: UInt8.self)
                }
                return runner.call(0, address, argument)
            }
            #expect(results[0] == results[1])
        }
        return try Disassembler.disassemble([fast.compiled[0].code], as: .x86)[0]
    }

    private static func alu32(_ operation: UInt8, _ dst: UInt8, imm: Int32) -> Instruction {
        Instruction(opcode: operation | 0x04, dst: dst, imm: imm)
    }

    @Test("a masked index is an index, though its register is wanted again at once") func maskedIndex() throws
    {
        // r0 = bytes[r2 & 15] + bytes[1]
        let text = try code([
            Insn.mov(4, 2), Insn.alu64(Opcode.and, 4, imm: 15), Insn.mov(5, 1), Insn.alu64(Opcode.add, 5, 4),
            Insn.load(.byte, 4, 1, 1), Insn.load(.byte, 0, 5, 0), Insn.alu64(Opcode.add, 0, 4), Insn.exit,
        ])
        #expect(text.contains("byte ptr [rdi + rcx]"))
    }

    @Test("an index that must be computed is scaled by the address") func scaledIndex() throws {
        // r0 = words[r2 & 7], and words[r2 - 1]
        let masked = try code([
            Insn.alu64(Opcode.and, 2, imm: 7), Insn.alu64(Opcode.lsh, 2, imm: 2),
            Insn.alu64(Opcode.add, 1, 2), Insn.load(.word, 0, 1, 0), Insn.exit,
        ])
        #expect(masked.contains("dword ptr [rdi + 4*rsi]"))
        let moved = try code([
            Insn.alu64(Opcode.and, 2, imm: 7), Insn.alu64(Opcode.or, 2, imm: 1),
            Insn.alu64(Opcode.add, 2, imm: -1),
            Insn.alu64(Opcode.lsh, 2, imm: 3), Insn.alu64(Opcode.add, 1, 2), Insn.load(.double, 0, 1, 0),
            Insn.exit,
        ])
        #expect(moved.contains("qword ptr [rdi + 8*rsi - 8]"))
    }

    @Test("a count is compared with 0 by its own flags, though moves follow") func flagsBehindMoves() throws {
        // do { r0 = r3 + r2; r3 = r0; } while (--r2);
        let text = try code([
            Insn.alu64(Opcode.and, 2, imm: 31), Insn.alu64(Opcode.or, 2, imm: 1), Insn.mov(3, imm: 7),
            Insn.mov(0, 3), Insn.alu64(Opcode.mul, 0, 2), Insn.alu64(Opcode.add, 2, imm: -1), Insn.mov(3, 0),
            Insn.jump(Opcode.jne, 2, imm: 0, to: -5), Insn.exit,
        ])
        #expect(!text.contains("test"))
    }

    @Test(
        "an atomic fetches what somebody wants", arguments: [Opcode.add, Opcode.or, Opcode.and, Opcode.xor])
    func unwantedFetch(operation: UInt8) throws {
        // old = fetch_and_op(&words[1], r2); r0 = wanted ? old : words[1];
        let fetch = Instruction(
            opcode: 0xdb, dst: 1, src: 2, offset: 8, imm: Int32(operation) | Opcode.atomicFetch)
        let unwanted = try code([fetch, Insn.load(.double, 0, 1, 8), Insn.exit])
        #expect(!unwanted.contains("xadd") && !unwanted.contains("xchg") && unwanted.contains("lock"))
        let wanted = try code([fetch, Insn.mov(0, 2), Insn.exit])
        #expect(wanted.contains("xadd") || wanted.contains("cmpxchg"))
    }

    @Test("a value may wait while its register gets another") func replacedRegister() throws {
        // r3 = *r1; r1 = 5; r0 = r3 + r1: the load is an operand yet.
        let text = try code([
            Insn.load(.double, 3, 1, 8), Insn.mov(1, imm: 5), Insn.alu64(Opcode.and, 2, imm: 3),
            Insn.alu64(Opcode.add, 2, 1), Insn.mov(0, 2), Insn.alu64(Opcode.add, 0, 3), Insn.exit,
        ])
        #expect(text.contains("add rax, qword ptr [rdi + 8]"))
    }

    @Test("two registers may want what the other is to hold") func circles() throws {
        // r2 and r3 swapped by sums; r4 = r2 + r3 is noted before both.
        let text = try code([
            Insn.mov(3, imm: 9), Insn.alu64(Opcode.add, 3, 2), Insn.mov(4, 2), Insn.alu64(Opcode.add, 4, 3),
            Insn.mov(5, 2), Insn.mov(2, 3), Insn.mov(3, 5), Insn.mov(0, 4),
            Insn.alu64(Opcode.mul, 0, imm: 31),
            Insn.alu64(Opcode.add, 0, 2), Insn.alu64(Opcode.mul, 0, imm: 31), Insn.alu64(Opcode.add, 0, 3),
            Insn.exit,
        ])
        #expect(!text.isEmpty)
    }

    @Test("a read-modify-write stays one where the address shares a register with the value") func update()
        throws
    {
        let text = try code([
            Insn.alu64(Opcode.and, 2, imm: 7), Insn.mov(4, 2), Insn.alu64(Opcode.xor, 4, imm: 8),
            Insn.mov(5, 1),
            Insn.alu64(Opcode.add, 5, 4), Insn.load(.byte, 4, 5, 0), Insn.alu64(Opcode.add, 4, imm: 1),
            Insn.store(.byte, 5, 0, 4), Insn.load(.byte, 0, 1, 8), Insn.exit,
        ])
        #expect(text.contains("add byte ptr [rdi + rcx], 1"))
    }

    @Test(
        "one of two near constants is the condition, scaled and moved",
        arguments: [(1, 0), (0, 1), (3, 1), (7, 10), (100, 105), (9, 0)] as [(Int32, Int32)])
    func selectedConstants(taken: Int32, otherwise: Int32) throws {
        let text = try code([
            Insn.mov(0, imm: taken), Insn.jump(Opcode.jgt, 2, imm: 7, to: 1), Insn.mov(0, imm: otherwise),
            Insn.exit,
        ])
        #expect(text.contains("set") && !text.contains("cmov"))
    }

    @Test("constants that are far apart, or in a register that is compared, are moved") func movedConstants()
        throws
    {
        let far = try code([
            Insn.mov(0, imm: 1), Insn.jump(Opcode.jgt, 2, imm: 7, to: 1), Insn.mov(0, imm: 1000), Insn.exit,
        ])
        #expect(far.contains("cmov"))
        let compared = try code([
            Insn.mov(0, imm: 1), Insn.jump(Opcode.jgt, 0, imm: 7, to: 1), Insn.mov(0, imm: 2), Insn.exit,
        ])
        #expect(!compared.contains("set"))
    }

    /// r0 = 100; for (r3 = 0; r3 < 20; r3++) { r0 += r2; if (r0 > limit) r0 = limit; }, the limit in r4 or a constant.
    private static func limited(by limit: Int32, inRegister: Bool) -> [Instruction] {
        let branch =
            inRegister
            ? Instruction(opcode: Opcode.jle | 0x0d, dst: 0, src: 4, offset: 1)
            : Insn.jump(Opcode.jle, 0, imm: limit, to: 1)
        return [
            Insn.mov(0, imm: 100), Insn.mov(3, imm: 0), Insn.mov(4, imm: limit),
            Insn.alu64(Opcode.and, 2, imm: 0xff),
            Insn.alu64(Opcode.add, 0, 2), branch, Insn.mov(0, 4),
            Insn.alu64(Opcode.add, 3, imm: 1), Insn.jump(Opcode.jlt, 3, imm: 20, to: -5), Insn.exit,
        ]
    }

    @Test("what a loop makes of itself under a limit is not moved but guessed") func guessedLimit() throws {
        #expect(try !code(SelectedCodeTests.limited(by: 500, inRegister: false)).contains("cmov"))
        // Two variables may well be random, and two cycles a turn are not worth that.
        #expect(try code(SelectedCodeTests.limited(by: 500, inRegister: true)).contains("cmov"))
    }

    @Test("a condition that does not hang on its own select is moved") func movedInLoop() throws {
        // A sum of bytes, those up to 100 counted as 7.
        let text = try code([
            Insn.mov(0, imm: 0), Insn.mov(3, imm: 0), Insn.mov(5, 1), Insn.alu64(Opcode.add, 5, 3),
            Insn.load(.byte, 4, 5, 0), Insn.jump(Opcode.jgt, 4, imm: 100, to: 1), Insn.mov(4, imm: 7),
            Insn.alu64(Opcode.add, 0, 4), Insn.alu64(Opcode.add, 3, imm: 1),
            Insn.jump(Opcode.jlt, 3, imm: 20, to: -8), Insn.exit,
        ])
        #expect(text.contains("cmov"))
    }

    @Test("a bit under a shifted value is added by an address") func shiftedSum() throws {
        // r0 = r2 << 1 | (r1 >> 3 & 1), and with two bits
        for (count, mask) in [(1, 1), (2, 3), (3, 7)] as [(Int32, Int32)] {
            let text = try code([
                Insn.mov(0, 2), Insn.alu64(Opcode.lsh, 0, imm: count), Insn.alu64(Opcode.and, 1, imm: mask),
                Insn.alu64(Opcode.or, 0, 1), Insn.alu64(Opcode.xor, 0, imm: 5), Insn.exit,
            ])
            #expect(text.contains("lea") && !text.contains("or rax, r"))
        }
        let overlapping = try code([
            Insn.mov(0, 2), Insn.alu64(Opcode.lsh, 0, imm: 1), Insn.alu64(Opcode.and, 1, imm: 3),
            Insn.alu64(Opcode.or, 0, 1), Insn.exit,
        ])
        #expect(overlapping.contains("or rax, r"))
    }

    @Test("what a register still holds is not loaded again") func repeatedLoads() throws {
        let text = try code([
            Insn.load(.word, 3, 1, 8), Insn.load(.word, 4, 1, 8), Insn.alu64(Opcode.mul, 4, 3),
            Insn.store(.word, 1, 12, 4), Insn.load(.word, 0, 1, 8), Insn.alu64(Opcode.add, 0, 4), Insn.exit,
        ])
        #expect(text.components(separatedBy: "[rdi + 8]").count == 2)
        // On both sides of a branch too; a store that may lie there is in between on one.
        let joined = [
            Insn.load(.word, 3, 1, 8), Insn.jump(Opcode.jgt, 2, imm: 7, to: 2),
            Insn.alu64(Opcode.add, 2, imm: 3), Insn.store(.word, 1, 16, 2),
            Insn.load(.word, 0, 1, 8), Insn.alu64(Opcode.xor, 0, 2), Insn.alu64(Opcode.add, 0, 3), Insn.exit,
        ]
        #expect(try code(joined).components(separatedBy: "[rdi + 8]").count == 2)
        var overwritten = joined
        overwritten[3] = Insn.store(.word, 1, 8, 2)
        #expect(try code(overwritten).components(separatedBy: "[rdi + 8]").count == 4)
    }

    @Test(
        "a product by a neighbour of a power of two is a shift and a sum", arguments: [7, 17, 31, 33, 65535])
    func nearPower(factor: Int32) throws {
        for operation: UInt8 in [0x07, 0x04] {
            let text = try code([
                Insn.mov(0, 2), Insn.alu64(Opcode.xor, 0, imm: 9),
                Instruction(opcode: Opcode.mul | operation, dst: 0, imm: factor), Insn.exit,
            ])
            #expect(text.contains("shl") && !text.contains("mul"))
        }
    }

    @Test("a count is not masked as the machine does anyway") func maskedCount() throws {
        for (mask, isMasked) in [(63, false), (127, false), (31, true)] as [(Int32, Bool)] {
            let text = try code([
                Insn.mov(0, imm: 1), Insn.alu64(Opcode.and, 2, imm: mask), Insn.alu64(Opcode.lsh, 0, 2),
                Insn.exit,
            ])
            #expect(text.contains("and ") == isMasked)
            // The register that is shifted is its own count.
            let own = try code([
                Insn.mov(0, 2), Insn.mov(3, 0), Insn.alu64(Opcode.and, 3, imm: mask),
                Insn.alu64(Opcode.rsh, 0, 3), Insn.alu64(Opcode.add, 0, 3), Insn.exit,
            ])
            #expect(own.contains("and "))
        }
    }

    @Test("the sum of which both halves of a rotate are made is made once") func rotatedSum() throws {
        let text = try code([
            Insn.alu64(Opcode.add, 2, imm: 77), Insn.alu64(Opcode.add, 2, 1), Insn.mov(3, 2),
            Insn.alu64(Opcode.rsh, 3, imm: 33), Insn.alu64(Opcode.lsh, 2, imm: 31),
            Insn.alu64(Opcode.or, 2, 3),
            Insn.mov(0, 2), Insn.alu64(Opcode.sub, 0, 1), Insn.exit,
        ])
        #expect(text.contains("rol"))
    }

    @Test(
        "an even divisor is halved before the multiplication",
        arguments: [14, 28, 1000, 1_000_000] as [Int32])
    func evenDivisor(divisor: Int32) throws {
        for operation in [Opcode.div, Opcode.mod] {
            let text = try code([
                Insn.mov(0, 2), Insn.alu64(operation, 0, imm: divisor), Insn.exit,
            ])
            // The way without a fitting factor adds the dividend by hand.
            #expect(!text.contains("add rdx, rax"))
        }
    }

    @Test("small subprograms leave nothing of their own") func inlined() throws {
        // f(a, b) = a > b ? a - b : b; main: f(f(r2, 5), 3) + r6
        let main = [
            Insn.mov(6, 2), Insn.mov(1, 2), Insn.mov(2, imm: 5), Insn.call(subprog: 6), Insn.mov(1, 0),
            Insn.mov(2, imm: 3), Insn.call(subprog: 3), Insn.alu64(Opcode.add, 0, 6), Insn.mov(1, imm: 0),
            Insn.exit,
        ]
        let function = [
            Instruction(opcode: Opcode.jgt | 0x0d, dst: 1, src: 2, offset: 2), Insn.mov(0, 2), Insn.exit,
            Insn.mov(0, 1), Insn.alu64(Opcode.sub, 0, 2), Insn.exit,
        ]
        let text = try code(main + function, subprogs: [0, main.count])
        #expect(!text.contains("call") && !text.contains("push"))
    }

    @Test("a subprogram that keeps R6, has a loop or calls stays a function") func functions() throws {
        let main = [
            Insn.mov(6, imm: 4), Insn.mov(1, 2), Insn.call(subprog: 2), Insn.alu64(Opcode.add, 0, 6),
            Insn.exit,
        ]
        let bodies: [[Instruction]] = [
            [Insn.mov(6, 1), Insn.mov(0, 6), Insn.exit],
            [
                Insn.mov(0, imm: 8), Insn.alu64(Opcode.add, 0, imm: -1),
                Insn.jump(Opcode.jne, 0, imm: 0, to: -2),
                Insn.exit,
            ],
            [Insn.store(.double, 10, -8, 1), Insn.load(.double, 0, 10, -8), Insn.exit],
        ]
        for body in bodies {
            let text = try code(main + body, subprogs: [0, main.count])
            #expect(text.contains("call"))
        }
    }

    @Test("where no step wants the block, its register is one more") func blockRegister() throws {
        // Seven spilled words, all wanted in a loop.
        var insns = [Insn.mov(0, imm: 0)]
        for slot: Int16 in 1...7 {
            insns += [Insn.alu64(Opcode.add, 2, imm: 3), Insn.store(.double, 10, -8 * slot, 2)]
        }
        insns += (3...9).map { Insn.mov(UInt8($0), imm: Int32($0)) }
        let head = insns.count
        for slot: Int16 in 1...7 {
            insns += [Insn.load(.double, 1, 10, -8 * slot), Insn.alu64(Opcode.add, 0, 1)]
        }
        for register: UInt8 in 3...9 { insns.append(Insn.alu64(Opcode.add, 0, register)) }
        insns += [Insn.alu64(Opcode.add, 9, imm: -1)]
        insns += [Insn.jump(Opcode.jne, 9, imm: 0, to: Int16(head - insns.count - 1)), Insn.exit]
        let text = try code(insns)
        #expect(text.contains("push r12") && text.contains("pop r12"))
    }
}
