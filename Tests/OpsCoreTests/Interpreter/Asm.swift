import BPF
import Verifier

@testable import OpsCore

/// Instructions by the kernel's macro names, for tests.
enum Asm {
    static func mov(_ dst: UInt8, _ imm: Int32) -> Instruction { alu(Opcode.mov, dst, imm) }
    static func mov(_ dst: UInt8, reg src: UInt8) -> Instruction { alu(Opcode.mov, dst, reg: src) }
    static func alu(_ op: UInt8, _ dst: UInt8, _ imm: Int32, offset: Int16 = 0) -> Instruction {
        Instruction(opcode: 0x07 | op, dst: dst, offset: offset, imm: imm)
    }
    static func alu(_ op: UInt8, _ dst: UInt8, reg src: UInt8, offset: Int16 = 0) -> Instruction {
        Instruction(opcode: 0x0f | op, dst: dst, src: src, offset: offset)
    }
    static func alu32(_ op: UInt8, _ dst: UInt8, reg src: UInt8, offset: Int16 = 0) -> Instruction {
        Instruction(opcode: 0x0c | op, dst: dst, src: src, offset: offset)
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
    static func atomic(_ size: AccessSize, _ operation: Int32, _ dst: UInt8, _ offset: Int16, _ src: UInt8)
        -> Instruction
    {
        Instruction(opcode: 0xc3 | size.rawValue, dst: dst, src: src, offset: offset, imm: operation)
    }
    static func jump(_ op: UInt8, _ dst: UInt8, _ imm: Int32, _ offset: Int16) -> Instruction {
        Instruction(opcode: 0x05 | op, dst: dst, offset: offset, imm: imm)
    }
    static func goto(_ offset: Int16) -> Instruction { Instruction(opcode: 0x05, offset: offset) }
    static func mayGoto(_ offset: Int16) -> Instruction {
        Instruction(opcode: Opcode.mayGoto, offset: offset)
    }
    static func wide(_ dst: UInt8, _ value: UInt64) -> [Instruction] {
        pseudo(dst, 0, Int32(truncatingIfNeeded: value), Int32(truncatingIfNeeded: value >> 32))
    }
    static func map(_ dst: UInt8, _ index: Int32) -> [Instruction] { pseudo(dst, PseudoLoad.mapFD, index, 0) }
    static func mapValue(_ dst: UInt8, _ index: Int32, _ offset: Int32 = 0) -> [Instruction] {
        pseudo(dst, PseudoLoad.mapValue, index, offset)
    }
    static func function(_ dst: UInt8, _ distance: Int32) -> [Instruction] {
        pseudo(dst, PseudoLoad.function, distance, 0)
    }
    private static func pseudo(_ dst: UInt8, _ src: UInt8, _ low: Int32, _ high: Int32) -> [Instruction] {
        [Instruction(opcode: 0x18, dst: dst, src: src, imm: low), Instruction(opcode: 0, imm: high)]
    }
    static func helper(_ id: Int32) -> Instruction { Instruction(opcode: Opcode.call, imm: id) }
    static func subprog(_ distance: Int32) -> Instruction {
        Instruction(opcode: Opcode.call, src: PseudoCall.subprog, imm: distance)
    }
    static func kfunc(_ index: Int32) -> Instruction {
        Instruction(opcode: Opcode.call, src: PseudoCall.kfunc, imm: index)
    }
    static let exit = Instruction(opcode: Opcode.exit)
}

/// Runs unverified programs in tests.
struct Machine {
    var maps: [MapDescription] = []
    var kfuncs: [KfuncPrototype] = []
    var subprogStarts: [Int] = []
    var btf: BTF?
    var arena: Arena?
    var facts: [Int: InsnFacts] = [:]
    var options = Interpreter.Options()
    var configuration = Instance.Configuration()

    func instance() throws -> Instance {
        try Instance(maps: maps, btf: btf, arena: arena, configuration: configuration)
    }

    func interpreter(_ insns: [Instruction], on instance: Instance) throws -> Interpreter {
        var subprogs = [ProgramImage.Subprog(name: "main", start: 0)]
        for start in subprogStarts {
            subprogs.append(ProgramImage.Subprog(name: "sub\(start)", start: start))
        }
        let image = ProgramImage(
            name: "test", section: "test", insns: insns, subprogs: subprogs, maps: maps, kfuncs: kfuncs)
        var facts: [InsnFacts] = []
        if !self.facts.isEmpty {
            for index in insns.indices {
                var fact = self.facts[index] ?? InsnFacts()
                fact.isReachable = true
                facts.append(fact)
            }
        }
        return try Interpreter(unverified: image, facts: facts, on: instance, options: options)
    }

    func run(_ insns: [Instruction], slots: [UInt64] = [], on given: Instance? = nil) throws -> UInt64 {
        let instance = try given ?? self.instance()
        return try interpreter(insns, on: instance).run(slots: slots)
    }

    /// The rule that the run breaks; nil: none.
    func rule(_ insns: [Instruction], slots: [UInt64] = []) throws -> InterpreterFault.Rule? {
        let interpreter = try interpreter(insns, on: try instance())
        do throws(InterpreterFault) {
            _ = try interpreter.run(slots: slots)
            return nil
        } catch {
            return error.rule
        }
    }
}
