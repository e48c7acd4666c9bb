import BPF
import ControlAPI
import Foundation
import OpsHost
import Testing

/// Every instruction of RFC 9669 (but packet access and indirect calls) with the operands that matter.
@Suite("Conformance") struct ConformanceTests {
    static let cases: [Case] = (try? Case.all()) ?? []

    @Test func readsEveryCase() throws {
        let cases = try Case.all()
        #expect(cases.count > 600)
        // What a compiler may emit for -mcpu=v4 all occurs.
        let missing = Self.instructionSet.subtracting(cases.flatMap { $0.insns.map(Self.shape) })
        #expect(missing.isEmpty, "no case has \(missing.map { String($0, radix: 16) }.sorted())")
    }

    @Test("gives r0", arguments: [false, true])
    func givesR0(interprets: Bool) throws {
        let host = try RuntimeHost()
        for sample in Self.cases {
            let request = ProgramRunRequest(
                source: .hex(sample.hex, file: sample.testDescription), data: sample.memory,
                interprets: interprets)
            do {
                let r0 = try host.run(request).r0
                #expect(r0 == sample.r0, "\(sample.testDescription)")
            } catch {
                Issue.record(error, "\(sample.testDescription)")
            }
        }
    }

    /// The disassembler's text of a program assembles to the program.
    @Test func assemblesWhatTheDisassemblerPrints() throws {
        for sample in Self.cases {
            guard !sample.insns.contains(where: { $0.isCall }) else { continue }
            let text = disassemble(sample.insns).filter { !$0.isEmpty }.joined(separator: "; ")
            #expect(try TextAssembler.assemble(text) == sample.insns, "\(sample.testDescription)")
        }
    }

    // MARK: Coverage

    /// Opcode, with what tells instructions of one opcode apart.
    private static func shape(_ insn: Instruction) -> UInt32 {
        var shape = UInt32(insn.opcode)
        switch insn.instructionClass {
        case .alu, .alu64:
            if insn.operation == Opcode.end {
                shape |= UInt32(insn.imm) << 16
            } else if [Opcode.mov, Opcode.div, Opcode.mod].contains(insn.operation) {
                shape |= UInt32(UInt16(bitPattern: insn.offset)) << 16
            }
        case .stx where insn.mode == Opcode.modeAtomic: shape |= UInt32(bitPattern: insn.imm) << 16
        case .jmp where insn.isCall: shape |= UInt32(insn.src) << 16
        default: break
        }
        return shape
    }

    private static var instructionSet: Set<UInt32> {
        var set: Set<UInt32> = [
            UInt32(Opcode.loadImm64), UInt32(Opcode.gotoShort), UInt32(Opcode.gotoLong), UInt32(Opcode.exit),
            UInt32(Opcode.call) | UInt32(PseudoCall.subprog) << 16,
        ]
        let binary = [
            Opcode.add, Opcode.sub, Opcode.mul, Opcode.div, Opcode.or, Opcode.and, Opcode.lsh, Opcode.rsh,
            Opcode.mod, Opcode.xor, Opcode.mov, Opcode.arsh,
        ]
        let jumps = [
            Opcode.jeq, Opcode.jgt, Opcode.jge, Opcode.jset, Opcode.jne, Opcode.jsgt, Opcode.jsge, Opcode.jlt,
            Opcode.jle, Opcode.jslt, Opcode.jsle,
        ]
        for operand: UInt8 in [0x00, 0x08] {
            for width: UInt8 in [0x04, 0x07] {
                for operation in binary { set.insert(UInt32(operation | operand | width)) }
                for operation in [Opcode.div, Opcode.mod] {
                    set.insert(UInt32(operation | operand | width) | 1 << 16)
                }
            }
            for width: UInt8 in [0x05, 0x06] {
                for operation in jumps { set.insert(UInt32(operation | operand | width)) }
            }
        }
        for (opcode, widths) in [(0xbc, [8, 16]), (0xbf, [8, 16, 32])] as [(UInt32, [UInt32])] {
            for width in widths { set.insert(opcode | width << 16) }
        }
        set.formUnion([0x84, 0x87])
        for opcode: UInt32 in [0xd4, 0xdc, 0xd7] {
            for width: UInt32 in [16, 32, 64] { set.insert(opcode | width << 16) }
        }
        for size: UInt32 in [0x00, 0x08, 0x10, 0x18] {
            set.formUnion([0x61 | size, 0x62 | size, 0x63 | size])
            if size != 0x18 { set.insert(0x81 | size) }
        }
        let atomics: [UInt32] = [0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1, 0x100, 0x110]
        for size: UInt32 in [0x00, 0x18] {
            for operation in atomics { set.insert(0xc3 | size | operation << 16) }
        }
        return set
    }
}
