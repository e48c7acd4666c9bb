import BPF
import Foundation
import JIT
import Testing

@testable import Verifier

/// Machine code of every BPF instruction form, as an independent disassembler reads both sides.
///
/// `OPSD_BLESS=1 swift test --filter Golden` rewrites the files under Tests/Fixtures/jit; the difference is reviewed
/// like code.
@Suite(
    "Golden code",
    .enabled(if: Disassembler.toolchain != nil, "needs clang and llvm-objdump side by side on PATH"))
struct GoldenTests {
    @Test("one BPF instruction after the other", arguments: GoldenTopic.all)
    func golden(topic: GoldenTopic) throws {
        let text = try render(topic)
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/jit/\(topic.name).golden")
        if ProcessInfo.processInfo.environment["OPSD_BLESS"] == "1" {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        let expected = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        let differences = zip(lines(text), lines(expected)).filter { $0.0 != $0.1 }
        #expect(differences.isEmpty && text == expected, "\(differences.prefix(3))")
    }

    private func lines(_ text: String) -> [Substring] { text.split(separator: "\n") }

    private func render(_ topic: GoldenTopic) throws -> String {
        // R10 and R6–R9 are named so that the frame is the same in all topics.
        let program = trusted(topic.insns + [Insn.mov(0, imm: 0), Insn.exit], facts: topic.facts)
        let code = try compile(
            CompileRequest(
                program: program, layout: topic.layout, helpers: [1: 0x1111_2222_3333], kfuncs: [],
                features: topic.features, options: CompileOptions(optimises: false)))
        var machine: [[UInt8]] = [], source: [[UInt8]] = [], index = 0
        while index < topic.insns.count {
            let width = topic.insns[index].isWideLoad ? 2 : 1
            let range = Int(code.insnOffsets[index])..<Int(code.insnOffsets[index + width])
            machine.append(Array(code.code[range]))
            source.append(topic.insns[index..<(index + width)].flatMap(bytes))
            index += width
        }
        let texts = zip(
            try Disassembler.disassemble(source, as: .bpf), try Disassembler.disassemble(machine, as: .x86))
        return texts.map { "\($0)\n    \($1)\n" }.joined()
    }

    private func bytes(_ insn: Instruction) -> [UInt8] {
        let offset = UInt16(bitPattern: insn.offset), imm = UInt32(bitPattern: insn.imm)
        return [insn.opcode, insn.registers, UInt8(offset & 0xff), UInt8(offset >> 8)]
            + (0..<4).map { UInt8(truncatingIfNeeded: imm >> (8 * $0)) }
    }
}

/// A list of instructions that are compiled together and looked at one by one.
struct GoldenTopic: CustomTestStringConvertible, Sendable {
    var name: String
    var insns: [Instruction]
    var features: CPUFeatures = [.bmi2]
    var probed = false
    var layout = InstanceLayout(slots: [], byteCount: 0)

    var testDescription: String { name }

    func facts(_ facts: inout [InsnFacts]) {
        for index in facts.indices { facts[index].isProbed = probed }
    }

    static let all: [GoldenTopic] = [
        GoldenTopic(name: "alu64", insns: arithmetic(0x07)),
        GoldenTopic(name: "alu32", insns: arithmetic(0x04)),
        GoldenTopic(name: "shift-baseline", insns: shifts, features: []),
        GoldenTopic(name: "shift-bmi2", insns: shifts),
        GoldenTopic(name: "divide", insns: divisions),
        GoldenTopic(name: "byte-order", insns: byteOrder),
        GoldenTopic(name: "memory", insns: memory),
        GoldenTopic(name: "probed", insns: probedLoads, probed: true),
        GoldenTopic(name: "atomic", insns: atomics),
        GoldenTopic(name: "jump", insns: jumps),
        GoldenTopic(
            name: "wide-load", insns: wideLoads,
            layout: InstanceLayout(
                slots: [
                    .init(handleOffset: 0x100, dataOffset: nil, elementStride: 8, maxEntries: 4),
                    .init(handleOffset: 0x108, dataOffset: 0x200, elementStride: 8, maxEntries: 4),
                ], byteCount: 0x300)),
        GoldenTopic(name: "call", insns: [Insn.call(helper: 1), Insn.call(helper: 181)]),
    ]

    private static func arithmetic(_ code: UInt8) -> [Instruction] {
        let operations: [UInt8] = [
            Opcode.add, Opcode.sub, Opcode.mul, Opcode.or, Opcode.and, Opcode.xor, Opcode.mov,
        ]
        var insns: [Instruction] = []
        for operation in operations {
            insns.append(Instruction(opcode: operation | code | 8, dst: 0, src: 5))
            insns.append(Instruction(opcode: operation | code | 8, dst: 7, src: 6))
            insns.append(Instruction(opcode: operation | code, dst: 1, imm: 0))
            insns.append(Instruction(opcode: operation | code, dst: 1, imm: -2))
            insns.append(Instruction(opcode: operation | code, dst: 9, imm: 0x12345))
        }
        insns.append(Instruction(opcode: Opcode.neg | code, dst: 3))
        for bits: Int16 in code == 0x07 ? [8, 16, 32] : [8, 16] {
            insns.append(Instruction(opcode: 0xb8 | code, dst: 2, src: 1, offset: bits))
        }
        return insns
    }

    private static let shifts: [Instruction] = {
        var insns: [Instruction] = []
        for operation in [Opcode.lsh, Opcode.rsh, Opcode.arsh] {
            for code: UInt8 in [0x07, 0x04] {
                insns.append(Instruction(opcode: operation | code, dst: 1, imm: 5))
                for (dst, src): (UInt8, UInt8) in [(1, 2), (1, 4), (4, 2), (4, 4)] {
                    insns.append(Instruction(opcode: operation | code | 8, dst: dst, src: src))
                }
            }
        }
        return insns
    }()

    private static let divisions: [Instruction] = {
        var insns: [Instruction] = []
        for operation in [Opcode.div, Opcode.mod] {
            for code: UInt8 in [0x07, 0x04] {
                for offset: Int16 in [0, 1] {
                    for imm: Int32 in [0, 1, -1, 8, 10] {
                        insns.append(Instruction(opcode: operation | code, dst: 6, offset: offset, imm: imm))
                    }
                    for (dst, src): (UInt8, UInt8) in [(6, 7), (0, 3), (3, 0)] {
                        insns.append(
                            Instruction(opcode: operation | code | 8, dst: dst, src: src, offset: offset))
                    }
                }
            }
        }
        return insns
    }()

    private static let byteOrder: [Instruction] = [UInt8(0xd4), 0xdc, 0xd7].flatMap { opcode in
        [16, 32, 64].map { Instruction(opcode: opcode, dst: 8, imm: $0) }
    }

    private static let sizes: [AccessSize] = [.byte, .half, .word, .double]

    private static let memory: [Instruction] = {
        var insns: [Instruction] = []
        for size in sizes {
            insns += [Insn.load(size, 0, 1, 0), Insn.load(size, 6, 10, -8), Insn.load(size, 2, 7, 0x200)]
            insns += [
                Insn.store(size, 10, -16, 1), Insn.store(size, 7, 0, 2), Insn.store(size, 1, 4, imm: -1),
            ]
            if size != .double {
                insns.append(Instruction(opcode: 0x81 | size.rawValue, dst: 3, src: 8, offset: 2))
            }
        }
        return insns
    }()

    private static let probedLoads: [Instruction] = sizes.flatMap {
        [Insn.load($0, 0, 1, 0), Insn.load($0, 1, 1, 0x30)]
    }

    private static let atomics: [Instruction] = {
        let operations: [Int32] = [
            0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x100, 0x110,
        ]
        var insns: [Instruction] = []
        for size in [AccessSize.word, .double] {
            for imm in operations {
                let opcode = 0xc3 | size.rawValue
                insns.append(Instruction(opcode: opcode, dst: 1, src: 2, offset: 8, imm: imm))
                insns.append(Instruction(opcode: opcode, dst: 0, src: 0, offset: -8, imm: imm))
            }
        }
        return insns
    }()

    private static let jumps: [Instruction] = {
        let operations: [UInt8] = [
            Opcode.jeq, Opcode.jne, Opcode.jgt, Opcode.jge, Opcode.jlt, Opcode.jle, Opcode.jset, Opcode.jsgt,
            Opcode.jsge, Opcode.jslt, Opcode.jsle,
        ]
        var insns: [Instruction] = []
        for operation in operations {
            for code: UInt8 in [0x05, 0x06] {
                insns.append(Instruction(opcode: operation | code, dst: 1, offset: 1, imm: 0))
                insns.append(Instruction(opcode: operation | code, dst: 1, offset: 1, imm: 0x1000))
                insns.append(Instruction(opcode: operation | code | 8, dst: 1, src: 9, offset: 1))
            }
        }
        insns.append(Instruction(opcode: Opcode.gotoShort, offset: 1))
        insns.append(Instruction(opcode: Opcode.gotoLong, imm: 1))
        insns.append(Instruction(opcode: Opcode.mayGoto, offset: 1))
        insns.append(Insn.exit)
        return insns
    }()

    private static let wideLoads: [Instruction] =
        [0, 1, 0xffff_ffff, 0x1_0000_0000, 0xffff_ffff_8000_0000, .max].flatMap { Insn.wide(1, $0) }
        + Insn.wide(6, 0, pseudo: PseudoLoad.mapFD)
        + Insn.wide(7, 1 | 0x18 << 32, pseudo: PseudoLoad.mapValue)
}
