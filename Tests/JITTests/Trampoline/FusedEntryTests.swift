import BPF
import CShim
import JIT
import Testing

@testable import Verifier

/// Bodies that take a member's arguments in registers: the same results as through an array of slots.
@Suite("Fused entries") struct FusedEntryTests {
    private typealias Six = @convention(c) (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) -> UInt64
    private let block = TestBlock()
    private static let arguments: [UInt64] = (1...6).map { UInt64($0) &* 0xf123_4567_89ab_cdef }
    private static let widths = [8, 4, 8, 1, 2, 8]

    /// A helper that changes every register a C function may change.
    private static let spoil: ops_helper_fn = { r1, r2, r3, r4, r5, _ in
        r1 &+ r2 &* 3 &+ r3 &* 5 &+ r4 &* 7 &+ r5 &* 11
    }

    /// R0 for `arguments`, and what the body wanted.
    private func run(
        _ insns: [Instruction], contextSlots: Int, slots: [Int]? = nil, subprogs: [Int] = [0],
        copies: Bool = false
    ) throws -> (r0: UInt64, needs: BodyNeeds) {
        let program = trusted(insns, subprogs: subprogs)
        let compiled = try compile(
            CompileRequest(
                program: program, layout: InstanceLayout(slots: [], byteCount: 0),
                helpers: [500: UInt(ops_helper_address(Self.spoil))], contextSlots: contextSlots))
        let code = try CodeUnit([compiled], name: "test")
        let model = FuncModel(
            arguments: Self.widths.map { FuncModel.Value(byteCount: $0) }, result: .init(byteCount: 8))
        let entries = try EntryUnit([
            EntryRequest(
                model: model, body: code.body(0), block: block.address, kind: .context, needs: compiled.needs,
                slots: slots, code: copies ? compiled.code : [])
        ])
        let a = Self.arguments
        let r0 = unsafeBitCast(entries.pointer(0), to: Six.self)(a[0], a[1], a[2], a[3], a[4], a[5])
        return withExtendedLifetime((code, entries)) { (r0, compiled.needs) }
    }

    private func check(_ insns: [Instruction], fuses: Bool = true, slots: [Int]? = nil, subprogs: [Int] = [0])
        throws
    {
        let plain = try run(insns, contextSlots: 0, slots: slots, subprogs: subprogs)
        let fused = try run(insns, contextSlots: 6, slots: slots, subprogs: subprogs)
        #expect(plain.needs.contains(.context))
        #expect(fused.needs.contains(.context) == !fuses)
        #expect(plain.r0 == fused.r0)
        let copied = try run(insns, contextSlots: 6, slots: slots, subprogs: subprogs, copies: true)
        #expect(copied.r0 == fused.r0)
    }

    /// R0 = R0 * 31 + register.
    private static func fold(_ register: UInt8) -> [Instruction] {
        [Insn.alu64(Opcode.mul, 0, imm: 31), Insn.alu64(Opcode.add, 0, register)]
    }

    @Test("arguments are moved out of their registers") func moves() throws {
        var insns = [Insn.mov(0, imm: 1)]
        for slot: UInt8 in 0..<4 { insns.append(Insn.load(.double, 6 + slot, 1, Int16(slot) * 8)) }
        for register: UInt8 in 6...9 { insns += Self.fold(register) }
        try check(insns + [Insn.exit])
    }

    @Test(
        "every size of load, in every order",
        arguments: [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 1, 4, 3, 5]])
    func orders(order: [Int]) throws {
        for size in [AccessSize.byte, .half, .word, .double] {
            // The context moves to R6; each load then overwrites an argument's register.
            var insns = [Insn.mov(0, imm: 1), Insn.mov(6, 1)]
            for slot in order {
                let target = UInt8(1 + slot % 5)
                insns.append(Insn.load(size, target, 6, Int16(slot * 8)))
                insns += Self.fold(target)
            }
            try check(insns + [Insn.exit])
        }
    }

    @Test("arguments survive calls, in the frame") func calls() throws {
        var insns = [Insn.mov(6, 1), Insn.load(.double, 1, 6, 0), Insn.load(.double, 2, 6, 16)]
        insns += [Insn.mov(3, imm: 3), Insn.mov(4, imm: 4), Insn.mov(5, imm: 5), Insn.call(helper: 500)]
        insns += [Insn.store(.double, 10, -8, 0), Insn.load(.double, 7, 6, 8), Insn.load(.double, 8, 6, 40)]
        insns += Self.fold(7) + Self.fold(8) + [Insn.load(.double, 1, 10, -8)] + Self.fold(1)
        try check(insns + [Insn.exit])
    }

    @Test("paths that overwrite an argument meet paths that do not") func joins() throws {
        for limit: Int32 in [0, -1] {
            var insns = [Insn.mov(0, imm: 7), Insn.mov(6, 1), Insn.load(.word, 7, 6, 8)]
            insns += [
                Insn.jump(Opcode.jgt, 7, imm: limit, to: 2), Insn.mov(2, imm: 9),
                Insn.alu64(Opcode.add, 0, 2),
            ]
            insns += [Insn.load(.double, 8, 6, 8)] + Self.fold(8)
            try check(insns + [Insn.exit])
        }
    }

    @Test("division does not lose the sixth argument") func division() throws {
        var insns = [Insn.mov(6, 1), Insn.load(.double, 7, 6, 0), Insn.mov(0, imm: 1000)]
        insns +=
            [Insn.alu64(Opcode.div, 7, imm: 10), Insn.load(.double, 8, 6, 40)] + Self.fold(7) + Self.fold(8)
        try check(insns + [Insn.exit])
    }

    @Test("division does not lose a sixth argument that is loaded but has not been wanted yet")
    func divisionAfterLoad() throws {
        var insns = [Insn.mov(6, 1), Insn.mov(0, imm: 1), Insn.load(.double, 3, 6, 16)]
        insns += [Insn.load(.double, 8, 6, 40), Insn.load(.double, 7, 6, 0)]
        let tail = Self.fold(7) + Self.fold(8) + Self.fold(3) + [Insn.exit]
        try check(insns + [Insn.alu64(Opcode.div, 7, imm: 1000)] + tail)
        try check(insns + [Insn.alu64(Opcode.mod, 7, 3)] + tail)
        // The same in a subprogram that stands in the place of its call: f(a) = a / 1000 + a.
        let rest = [Insn.mov(7, 0), Insn.mov(0, imm: 1)] + Self.fold(7) + Self.fold(8) + [Insn.exit]
        let main = insns + [Insn.mov(1, 7), Insn.call(subprog: Int32(rest.count))] + rest
        let function = [
            Insn.mov(3, 1), Insn.mov(0, 1), Insn.alu64(Opcode.div, 0, imm: 1000),
            Insn.alu64(Opcode.add, 0, 3),
            Insn.exit,
        ]
        try check(main + function, subprogs: [0, main.count])
    }

    @Test("a context that escapes keeps its array") func escapes() throws {
        // To a subprog, to a helper that may take it.
        try check(
            [Insn.call(subprog: 1), Insn.exit, Insn.load(.double, 0, 1, 16), Insn.exit], fuses: false,
            subprogs: [0, 2])
        let copied = [
            Insn.mov(2, 1), Insn.alu64(Opcode.add, 2, imm: 8), Insn.load(.double, 0, 2, 0), Insn.exit,
        ]
        try check(copied, fuses: false)
        try check(
            [
                Insn.store(.double, 10, -8, 1), Insn.load(.double, 2, 10, -8), Insn.load(.double, 0, 2, 0),
                Insn.exit,
            ],
            fuses: false)
    }

    @Test("a program that has fewer arguments gets those it has") func slots() throws {
        var insns = [Insn.mov(0, imm: 1)]
        for slot: UInt8 in 0..<3 { insns.append(Insn.load(.double, 6 + slot, 1, Int16(slot) * 8)) }
        for register: UInt8 in 6...8 { insns += Self.fold(register) }
        for slots in [[0, 2, 3], [1, 3, 4], [0, 1, 5]] { try check(insns + [Insn.exit], slots: slots) }
    }

    @Test("a stale context in a register that a helper does not take is no escape") func stale() throws {
        // bpf_get_numa_node_id takes nothing.
        let insns = [Insn.load(.double, 6, 1, 0), Insn.call(helper: 42), Insn.mov(0, 6), Insn.exit]
        let program = trusted(insns)
        let compiled = try compile(
            CompileRequest(
                program: program, layout: InstanceLayout(slots: [], byteCount: 0),
                helpers: [42: UInt(ops_helper_address(Self.spoil))], contextSlots: 1))
        #expect(compiled.needs.arguments == [0])
    }
}
