import BPF
import CShim
import JIT
import Testing

@testable import Verifier

private typealias Twelve =
    @convention(c) (
        UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
    ) -> UInt64

/// Members' entries: what the program sees of its arguments, and the caller of the result.
@Suite("Entries") struct EntryTests {
    private let block = TestBlock()

    private func entry(
        _ program: VerifiedProgram, _ model: FuncModel, kind: EntryRequest.Kind = .context,
        needs: BodyNeeds? = nil, helpers: [Int32: UInt] = [:], contextSlots: Int = 0, slots: [Int]? = nil
    ) throws -> (unit: EntryUnit, code: CodeUnit, needs: BodyNeeds) {
        let compiled = try compile(
            CompileRequest(
                program: program, layout: InstanceLayout(slots: [], byteCount: 0), helpers: helpers,
                contextSlots: contextSlots))
        let code = try CodeUnit([compiled], name: "test")
        let request = EntryRequest(
            model: model, body: code.body(0), block: block.address, kind: kind, needs: needs ?? compiled.needs
        )
        return (try EntryUnit([request]), code, compiled.needs)
    }

    /// r0 = slot 0 * 1 + slot 1 * 3 + slot 2 * 5 …
    private static func weightedSum(_ count: Int) -> [Instruction] {
        var insns = [Insn.mov(0, imm: 0)]
        for i in 0..<count {
            insns.append(Insn.load(.double, 2, 1, Int16(8 * i)))
            insns.append(Insn.alu64(Opcode.mul, 2, imm: Int32(2 * i + 1)))
            insns.append(Insn.alu64(Opcode.add, 0, 2))
        }
        return insns + [Insn.exit]
    }

    /// What `weightedSum` computes, of these slots.
    private static func weighted(_ slots: [UInt64]) -> UInt64 {
        var sum: UInt64 = 0
        for (index, slot) in slots.enumerated() { sum &+= slot &* UInt64(2 * index + 1) }
        return sum
    }

    private static let garbage: [UInt64] = (1...12).map { UInt64($0) &* 0xf123_4567_89ab_cdef }

    private func call(_ pointer: UnsafeRawPointer, _ a: [UInt64]) -> UInt64 {
        unsafeBitCast(pointer, to: Twelve.self)(
            a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11])
    }

    @Test("slots hold the arguments, cleared above their widths", arguments: 0...12)
    func slots(count: Int) throws {
        for rotation in 0..<4 {
            let widths = (0..<count).map { [8, 4, 2, 1][($0 + rotation) % 4] }
            let model = FuncModel(
                arguments: widths.enumerated().map {
                    .init(byteCount: $0.element, isSigned: $0.offset % 3 == 0)
                }, result: .init(byteCount: 8))
            let made = try entry(trusted(Self.weightedSum(count)), model)
            let expected = Self.weighted(
                zip(Self.garbage, widths).map { value, width in
                    width == 8 ? value : value & (1 << UInt64(8 * width) - 1)
                })
            #expect(call(made.unit.pointer(0), Self.garbage) == expected, "widths \(widths)")
        }
    }

    @Test("arguments of C types arrive") func cTypes() throws {
        let model = FuncModel(
            arguments: [
                .init(byteCount: 1, isSigned: true), .init(byteCount: 2), .init(byteCount: 4, isSigned: true),
                .pointer, .init(byteCount: 1, isBool: true), .init(byteCount: 4),
                .init(byteCount: 2, isSigned: true),
                .init(byteCount: 8), .init(byteCount: 4),
            ], result: .init(byteCount: 8))
        typealias Mixed =
            @convention(c) (
                Int8, UInt16, Int32, UnsafeRawPointer?, Bool, UInt32, Int16, UInt64, UInt32
            ) -> UInt64
        let made = try entry(trusted(Self.weightedSum(9)), model)
        let result = unsafeBitCast(made.unit.pointer(0), to: Mixed.self)(
            -1, 65535, -2, UnsafeRawPointer(bitPattern: 4096), true, .max, -3, 1 << 40, 7)
        let slots: [UInt64] = [0xff, 65535, 0xffff_fffe, 4096, 1, 0xffff_ffff, 0xfffd, 1 << 40, 7]
        #expect(result == Self.weighted(slots))
    }

    struct Narrowing: CustomTestStringConvertible, Sendable {
        var value: FuncModel.Value
        var r0: UInt64
        var seen: UInt64
        var testDescription: String { "\(value.byteCount) bytes of \(String(r0, radix: 16))" }

        static let all: [Narrowing] = [
            .init(value: .init(byteCount: 8), r0: .max, seen: .max),
            .init(value: .init(byteCount: 4), r0: 0xdead_beef_8000_0001, seen: 0x8000_0001),
            .init(
                value: .init(byteCount: 4, isSigned: true), r0: 0xdead_beef_8000_0001,
                seen: 0xffff_ffff_8000_0001),
            .init(value: .init(byteCount: 4, isSigned: true), r0: 0xffff_ffff_0000_0001, seen: 1),
            .init(value: .init(byteCount: 2), r0: 0xdead_beef_8000_8001, seen: 0x8001),
            .init(value: .init(byteCount: 2, isSigned: true), r0: 0x8001, seen: 0xffff_ffff_ffff_8001),
            .init(value: .init(byteCount: 1), r0: 0x1ff, seen: 0xff),
            .init(value: .init(byteCount: 1, isSigned: true), r0: 0x180, seen: 0xffff_ffff_ffff_ff80),
            .init(value: .init(byteCount: 1, isBool: true), r0: 0x80, seen: 1),
            .init(value: .init(byteCount: 1, isBool: true), r0: 0xff00, seen: 0),
            .init(value: .init(byteCount: 1, isBool: true), r0: 1, seen: 1),
        ]
    }

    @Test("results are narrowed to the prototype's type", arguments: Narrowing.all)
    func narrowing(sample: Narrowing) throws {
        let program = trusted(Insn.wide(0, sample.r0) + [Insn.exit], usesContext: false)
        for needs: BodyNeeds in [[], .context, .block, .all] {
            let made = try entry(
                program, FuncModel(arguments: [.pointer, .pointer], result: sample.value), needs: needs)
            #expect(call(made.unit.pointer(0), Self.garbage) == sample.seen)
        }
    }

    @Test("an entry keeps the registers that C wants kept, and its stack aligned", arguments: 0...12)
    func alignment(count: Int) throws {
        // `lea rax, [rsp + 8]; and eax, 15; ret`: what a helper sees of the stack.
        let probe = try CodeMemoryTests.unit([[0x48, 0x8d, 0x44, 0x24, 0x08, 0x83, 0xe0, 0x0f, 0xc3]])
        let helpers: [Int32: UInt] = [1: UInt(bitPattern: probe.body(0))]
        // With and without R10, with 0…4 saved registers, with odd and even stack sizes.
        for saved in 0...4 {
            for stackBytes in [0, 8, 16, 504] {
                var insns = (0..<saved).map { Insn.mov(6 + UInt8($0), imm: 1) }
                if stackBytes > 0 { insns.append(Insn.store(.double, 10, -8, imm: 1)) }
                insns += [Insn.call(helper: 1), Insn.exit]
                let model = FuncModel(
                    arguments: [FuncModel.Value](repeating: .pointer, count: count),
                    result: .init(byteCount: 8))
                let made = try entry(trusted(insns, stackBytes: stackBytes), model, helpers: helpers)
                #expect(call(made.unit.pointer(0), Self.garbage) == 0)
            }
        }
    }

    @Test("fuel is full at every call") func fuel() throws {
        // Draws one unit per turn, up to 10; r0 = turns.
        let insns = [
            Insn.mov(0, imm: 0), Instruction(opcode: Opcode.mayGoto, offset: 2),
            Insn.alu64(Opcode.add, 0, imm: 1),
            Insn.jump(Opcode.jlt, 0, imm: 10, to: -3), Insn.exit,
        ]
        let made = try entry(trusted(insns), FuncModel(arguments: [], result: .init(byteCount: 8)))
        block.head.pointee.fuel_per_call = 4
        for _ in 0..<3 {
            #expect(call(made.unit.pointer(0), Self.garbage) == 4)
            #expect(block.head.pointee.fuel == 0)
        }
        block.head.pointee.fuel_per_call = 100
        #expect(call(made.unit.pointer(0), Self.garbage) == 10)
        #expect(block.head.pointee.fuel == 90)
    }

    @Test("registers take up to five arguments") func registers() throws {
        let insns = [
            Insn.mov(0, 1), Insn.alu64(Opcode.add, 0, 2), Insn.alu64(Opcode.sub, 0, 3),
            Insn.alu64(Opcode.xor, 0, 4),
            Insn.alu64(Opcode.add, 0, 5), Insn.exit,
        ]
        let word = FuncModel.Value(byteCount: 8)
        let model = FuncModel(
            arguments: [.init(byteCount: 4), word, word, word, .init(byteCount: 1)], result: word)
        let made = try entry(trusted(insns), model, kind: .registers)
        #expect(made.needs.subtracting(.narrowResult) == .context)
        let result = call(made.unit.pointer(0), [0xf_0000_0001, 2, 5, 7, 0x101] + Self.garbage[5...])
        let expected = ((1 &+ 2 &- 5) as UInt64 ^ 7) &+ 1
        #expect(result == expected)
    }

    @Test("what makes no entry is refused by name") func refusals() {
        let program = trusted([Insn.mov(0, imm: 0), Insn.exit])
        #expect(throws: EntryError.tooManyArguments(count: 13, limit: 12)) {
            try entry(program, FuncModel(arguments: .init(repeating: .pointer, count: 13), result: nil))
        }
        #expect(throws: EntryError.tooManyArguments(count: 6, limit: 5)) {
            try entry(
                program, FuncModel(arguments: .init(repeating: .pointer, count: 6), result: nil),
                kind: .registers)
        }
        #expect(throws: EntryError.badWidth(byteCount: 16)) {
            try entry(program, FuncModel(arguments: [.init(byteCount: 16)], result: nil))
        }
    }
}
