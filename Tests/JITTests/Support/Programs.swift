import BPF
import CShim
import JIT

@testable import Verifier

/// Shorthand for instructions, in the order of the kernel's `BPF_*` macros.
enum Insn {
    static func alu64(_ operation: UInt8, _ dst: UInt8, _ src: UInt8, offset: Int16 = 0) -> Instruction {
        Instruction(opcode: operation | 0x0f, dst: dst, src: src, offset: offset)
    }
    static func alu64(_ operation: UInt8, _ dst: UInt8, imm: Int32, offset: Int16 = 0) -> Instruction {
        Instruction(opcode: operation | 0x07, dst: dst, offset: offset, imm: imm)
    }
    static func mov(_ dst: UInt8, _ src: UInt8) -> Instruction { alu64(Opcode.mov, dst, src) }
    static func mov(_ dst: UInt8, imm: Int32) -> Instruction { alu64(Opcode.mov, dst, imm: imm) }
    static func load(_ size: AccessSize, _ dst: UInt8, _ src: UInt8, _ offset: Int16) -> Instruction {
        Instruction(opcode: 0x01 | size.rawValue | Opcode.modeMem, dst: dst, src: src, offset: offset)
    }
    static func store(_ size: AccessSize, _ dst: UInt8, _ offset: Int16, _ src: UInt8) -> Instruction {
        Instruction(opcode: 0x03 | size.rawValue | Opcode.modeMem, dst: dst, src: src, offset: offset)
    }
    static func store(_ size: AccessSize, _ dst: UInt8, _ offset: Int16, imm: Int32) -> Instruction {
        Instruction(opcode: 0x02 | size.rawValue | Opcode.modeMem, dst: dst, offset: offset, imm: imm)
    }
    static func wide(_ dst: UInt8, _ value: UInt64, pseudo: UInt8 = 0) -> [Instruction] {
        [
            Instruction(
                opcode: Opcode.loadImm64, dst: dst, src: pseudo, imm: Int32(truncatingIfNeeded: value)),
            Instruction(opcode: 0, imm: Int32(truncatingIfNeeded: value >> 32)),
        ]
    }
    static func jump(_ operation: UInt8, _ dst: UInt8, imm: Int32, to distance: Int16) -> Instruction {
        Instruction(opcode: operation | 0x05, dst: dst, offset: distance, imm: imm)
    }
    static func call(helper id: Int32) -> Instruction { Instruction(opcode: Opcode.call, imm: id) }
    static func call(subprog distance: Int32) -> Instruction {
        Instruction(opcode: Opcode.call, src: PseudoCall.subprog, imm: distance)
    }
    static let exit = Instruction(opcode: Opcode.exit)
}

/// A program as if the verifier had accepted it: everything reachable, 512 bytes of stack in each frame.
func trusted(
    _ insns: [Instruction], subprogs: [Int] = [0], callbacks: Set<Int> = [], usesContext: Bool = true,
    kfuncs: [KfuncPrototype] = [], maps: [MapDescription] = [], stackBytes: Int = 512,
    facts change: (inout [InsnFacts]) -> Void = { _ in }
) -> VerifiedProgram {
    var facts = [InsnFacts](repeating: InsnFacts(), count: insns.count)
    for index in facts.indices { facts[index].isReachable = true }
    change(&facts)
    let image = ProgramImage(
        name: "test", section: "test", insns: insns,
        subprogs: subprogs.map { .init(name: "f\($0)", start: $0) }, maps: maps, kfuncs: kfuncs)
    return VerifiedProgram(
        image: image, contextName: "test", facts: facts,
        frames: subprogs.indices.map { .init(stackBytes: stackBytes, isCallback: callbacks.contains($0)) },
        stackBytes: stackBytes, bound: UInt64(insns.count), processed: insns.count, returnsValue: true,
        usesContext: usesContext, uses: ProgramUses())
}
