import BPF
import Verifier

/// A few letters per instruction, so that a program reads as a column.
enum Asm {
    static func mov(_ dst: UInt8, _ imm: Int32) -> Instruction { alu(Opcode.mov, dst, imm) }
    static func mov(_ dst: UInt8, reg src: UInt8) -> Instruction { alu(Opcode.mov, dst, reg: src) }
    static func mov32(_ dst: UInt8, _ imm: Int32) -> Instruction { alu(Opcode.mov, dst, imm, wide: false) }
    static func add(_ dst: UInt8, _ imm: Int32) -> Instruction { alu(Opcode.add, dst, imm) }
    static func add(_ dst: UInt8, reg src: UInt8) -> Instruction { alu(Opcode.add, dst, reg: src) }
    static func and(_ dst: UInt8, _ imm: Int32) -> Instruction { alu(Opcode.and, dst, imm) }

    static func alu(_ operation: UInt8, _ dst: UInt8, _ imm: Int32, wide: Bool = true, offset: Int16 = 0)
        -> Instruction
    {
        Instruction(opcode: operation | (wide ? 0x07 : 0x04), dst: dst, offset: offset, imm: imm)
    }
    static func alu(
        _ operation: UInt8, _ dst: UInt8, reg src: UInt8, wide: Bool = true, offset: Int16 = 0
    ) -> Instruction {
        Instruction(opcode: operation | 0x08 | (wide ? 0x07 : 0x04), dst: dst, src: src, offset: offset)
    }

    static func load(_ size: AccessSize, _ dst: UInt8, _ src: UInt8, _ offset: Int16) -> Instruction {
        Instruction(opcode: 0x61 | size.rawValue, dst: dst, src: src, offset: offset)
    }
    static func loadSigned(_ size: AccessSize, _ dst: UInt8, _ src: UInt8, _ offset: Int16) -> Instruction {
        Instruction(opcode: 0x81 | size.rawValue, dst: dst, src: src, offset: offset)
    }
    static func store(_ size: AccessSize, _ dst: UInt8, _ offset: Int16, reg src: UInt8) -> Instruction {
        Instruction(opcode: 0x63 | size.rawValue, dst: dst, src: src, offset: offset)
    }
    static func store(_ size: AccessSize, _ dst: UInt8, _ offset: Int16, _ imm: Int32) -> Instruction {
        Instruction(opcode: 0x62 | size.rawValue, dst: dst, offset: offset, imm: imm)
    }
    static func atomic(
        _ operation: Int32, _ size: AccessSize, _ dst: UInt8, _ offset: Int16, reg src: UInt8
    ) -> Instruction {
        Instruction(opcode: 0xc3 | size.rawValue, dst: dst, src: src, offset: offset, imm: operation)
    }

    static func jump(
        _ operation: UInt8, _ dst: UInt8, _ imm: Int32, _ offset: Int16, wide: Bool = true
    ) -> Instruction {
        Instruction(opcode: operation | (wide ? 0x05 : 0x06), dst: dst, offset: offset, imm: imm)
    }
    static func jump(
        _ operation: UInt8, _ dst: UInt8, reg src: UInt8, _ offset: Int16, wide: Bool = true
    ) -> Instruction {
        Instruction(opcode: operation | 0x08 | (wide ? 0x05 : 0x06), dst: dst, src: src, offset: offset)
    }
    static func goto(_ offset: Int16) -> Instruction { Instruction(opcode: Opcode.gotoShort, offset: offset) }
    static func mayGoto(_ offset: Int16) -> Instruction {
        Instruction(opcode: Opcode.mayGoto, offset: offset)
    }

    static func call(helper name: String) -> Instruction {
        Instruction(opcode: Opcode.call, imm: HelperPrototype.id(named: name) ?? 0)
    }
    static func call(subprog offset: Int32) -> Instruction {
        Instruction(opcode: Opcode.call, src: PseudoCall.subprog, imm: offset)
    }
    static func call(kfunc index: Int32) -> Instruction {
        Instruction(opcode: Opcode.call, src: PseudoCall.kfunc, imm: index)
    }
    static var exit: Instruction { Instruction(opcode: Opcode.exit) }

    static func wide(_ dst: UInt8, _ value: UInt64) -> [Instruction] {
        wide(
            dst, PseudoLoad.constant, Int32(truncatingIfNeeded: value), Int32(truncatingIfNeeded: value >> 32)
        )
    }
    static func map(_ dst: UInt8, _ index: Int32) -> [Instruction] { wide(dst, PseudoLoad.mapFD, index, 0) }
    static func mapValue(_ dst: UInt8, _ index: Int32, _ offset: Int32) -> [Instruction] {
        wide(dst, PseudoLoad.mapValue, index, offset)
    }
    /// - Parameter distance: in slots, from the next slot.
    static func function(_ dst: UInt8, _ distance: Int32) -> [Instruction] {
        wide(dst, PseudoLoad.function, distance, 0)
    }
    private static func wide(_ dst: UInt8, _ src: UInt8, _ low: Int32, _ high: Int32) -> [Instruction] {
        [
            Instruction(opcode: Opcode.loadImm64, dst: dst, src: src, imm: low),
            Instruction(opcode: 0, imm: high),
        ]
    }
}

extension ProgramContext {
    /// What `prog run` uses: R1 = memory, R2 = its size; every helper the verifier knows.
    static func memory(_ byteCount: Int) -> ProgramContext {
        ProgramContext(
            name: "test", arguments: .memory(byteCount: byteCount), result: .scalar,
            helpers: Set(HelperPrototype.known.keys))
    }
}

/// Verifies a program in a memory context.
func verifyMemory(
    _ insns: [Instruction], bytes: Int = 64, subprogs: [ProgramImage.Subprog] = [],
    maps: [MapDescription] = []
) -> VerificationOutcome {
    verify(
        ProgramImage(name: "test", section: "test", insns: insns, subprogs: subprogs, maps: maps),
        in: .memory(bytes))
}
