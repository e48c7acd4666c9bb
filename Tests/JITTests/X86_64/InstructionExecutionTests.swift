import BPF
import JIT
import Testing

@testable import Verifier

/// Every opcode, in every pair of registers, on edge values: code = reference, for all registers and memory.
@Suite("Instruction execution") struct InstructionExecutionTests {
    static let arithmetic: [UInt8] = [
        Opcode.add, Opcode.sub, Opcode.mul, Opcode.or, Opcode.and, Opcode.xor, Opcode.lsh, Opcode.rsh,
        Opcode.arsh,
        Opcode.mov,
    ]
    static let division: [UInt8] = [Opcode.div, Opcode.mod]
    static let jumps: [UInt8] = [
        Opcode.jeq, Opcode.jne, Opcode.jgt, Opcode.jge, Opcode.jlt, Opcode.jle, Opcode.jset, Opcode.jsgt,
        Opcode.jsge,
        Opcode.jslt, Opcode.jsle,
    ]
    static let featureSets: [CPUFeatures] = [[], .host]

    @Test("binary operations on registers", arguments: arithmetic + division, featureSets)
    func binaryRegister(operation: UInt8, features: CPUFeatures) throws {
        let offsets: [Int16] = Self.division.contains(operation) ? [0, 1] : [0]
        for offset in offsets {
            for code: UInt8 in [0x0c, 0x0f] {
                try check(Self.pairs(opcode: operation | code, offset: offset), features: features)
            }
        }
    }

    @Test("sign-extending moves")
    func signExtendingMoves() throws {
        for offset: Int16 in [8, 16, 32] {
            try check(Self.pairs(opcode: 0xbf, offset: offset))
            if offset < 32 { try check(Self.pairs(opcode: 0xbc, offset: offset)) }
        }
    }

    @Test("operations with an immediate", arguments: arithmetic + division)
    func immediate(operation: UInt8) throws {
        let offsets: [Int16] = Self.division.contains(operation) ? [0, 1] : [0]
        for code: UInt8 in [0x04, 0x07] {
            let insns = offsets.flatMap { offset in
                StepHarness.immediates.flatMap { imm in
                    (UInt8(0)...9).map {
                        Instruction(opcode: operation | code, dst: $0, offset: offset, imm: imm)
                    }
                }
            }
            try check(insns)
        }
    }

    @Test("negation") func negation() throws {
        try check(
            (UInt8(0)...9).flatMap {
                [Instruction(opcode: 0x84, dst: $0), Instruction(opcode: 0x87, dst: $0)]
            })
    }

    @Test("byte order", arguments: [UInt8(0xd4), 0xdc, 0xd7])
    func byteOrder(opcode: UInt8) throws {
        for bits: Int32 in [16, 32, 64] {
            let insns = (UInt8(0)...9).map { Instruction(opcode: opcode, dst: $0, imm: bits) }
            let runner = try Runner(insns.map(StepHarness.program))
            for (index, insn) in insns.enumerated() {
                for value in StepHarness.edges {
                    var state = [UInt64](repeating: 5, count: StepHarness.slotCount)
                    state[Int(insn.dst)] = value
                    let after = run(runner, index, state)
                    #expect(
                        after[Int(insn.dst)] == ReferenceMachine.byteOrder(insn, value), "\(insn) of \(value)"
                    )
                }
            }
        }
    }

    @Test("conditional jumps", arguments: jumps)
    func conditionalJumps(operation: UInt8) throws {
        for code: UInt8 in [0x0d, 0x0e] { try check(Self.pairs(opcode: operation | code)) }
        for code: UInt8 in [0x05, 0x06] {
            try check(
                StepHarness.immediates.flatMap { imm in
                    (UInt8(0)...9).map { Instruction(opcode: operation | code, dst: $0, imm: imm) }
                })
        }
    }

    @Test("loads and stores", arguments: [AccessSize.byte, .half, .word, .double])
    func loadsAndStores(size: AccessSize) throws {
        for offset: Int16 in [-8, 0, 16, 120] {
            try checkMemory(Self.pairs(opcode: 0x61 | size.rawValue, offset: offset), base: \.src)
            if size != .double {
                try checkMemory(Self.pairs(opcode: 0x81 | size.rawValue, offset: offset), base: \.src)
            }
            try checkMemory(Self.pairs(opcode: 0x63 | size.rawValue, offset: offset), base: \.dst)
            try checkMemory(
                StepHarness.immediates.flatMap { imm in
                    (UInt8(0)...9).map {
                        Instruction(opcode: 0x62 | size.rawValue, dst: $0, offset: offset, imm: imm)
                    }
                }, base: \.dst)
        }
    }

    @Test("atomics", arguments: [AccessSize.word, .double])
    func atomics(size: AccessSize) throws {
        let operations: [Int32] = [
            0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, Opcode.atomicXchg, Opcode.atomicCmpxchg,
        ]
        for operation in operations {
            try checkMemory(Self.pairs(opcode: 0xc3 | size.rawValue, offset: 8, imm: operation), base: \.dst)
        }
    }

    @Test("acquiring loads and releasing stores", arguments: [AccessSize.byte, .half, .word, .double])
    func acquireRelease(size: AccessSize) throws {
        try checkMemory(
            Self.pairs(opcode: 0xc3 | size.rawValue, offset: 8, imm: Opcode.atomicLoadAcquire), base: \.src)
        try checkMemory(
            Self.pairs(opcode: 0xc3 | size.rawValue, offset: 8, imm: Opcode.atomicStoreRelease), base: \.dst)
    }

    // MARK: Comparing

    static func pairs(opcode: UInt8, offset: Int16 = 0, imm: Int32 = 0) -> [Instruction] {
        (UInt8(0)...9).flatMap { dst in
            (UInt8(0)...9).map { Instruction(opcode: opcode, dst: dst, src: $0, offset: offset, imm: imm) }
        }
    }

    private func run(_ runner: Runner, _ index: Int, _ state: [UInt64]) -> [UInt64] {
        var state = state
        state.withUnsafeMutableBufferPointer {
            _ = runner.call(index, UInt64(UInt(bitPattern: $0.baseAddress)))
        }
        return state
    }

    private func check(_ insns: [Instruction], features: CPUFeatures = .host) throws {
        let runner = try Runner(insns.map(StepHarness.program), features: features)
        let background = (0..<StepHarness.slotCount).map { UInt64($0) &* 0x9e37_79b9_7f4a_7c15 | 1 << 63 }
        for (index, insn) in insns.enumerated() {
            let sources = insn.usesRegister && insn.src != insn.dst ? StepHarness.edges : [0]
            for dst in StepHarness.edges {
                for src in sources {
                    var state = background
                    if insn.usesRegister { state[Int(insn.src)] = src }
                    state[Int(insn.dst)] = dst
                    var reference = ReferenceMachine(
                        registers: Array(state[..<10]), memory: [], memoryBase: 0)
                    let taken = reference.step(insn)
                    let after = run(runner, index, state)
                    guard Array(after[..<10]) == reference.registers, after[10] == (taken ? 0 : 1) else {
                        Issue.record(
                            "\(insn) of \(dst), \(src): \(after), expected \(reference.registers) \(taken)")
                        return
                    }
                }
            }
        }
    }

    /// The register that `base` names points into a buffer; the other one takes edge values.
    private func checkMemory(_ insns: [Instruction], base: KeyPath<Instruction, UInt8>) throws {
        let runner = try Runner(insns.map(StepHarness.program))
        let contents = (0..<256).map { UInt8(truncatingIfNeeded: $0 &* 73 &+ 0x85) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: contents.count, alignment: 16)
        defer { buffer.deallocate() }
        let address = UInt64(UInt(bitPattern: buffer.baseAddress)) + 64
        let held = contents[72..<80].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        for (index, insn) in insns.enumerated() {
            for value in [0, 0x80, 0x8000_0000, 0xfedc_ba98_7654_3210, .max, held] as [UInt64] {
                var state = [UInt64](repeating: 0, count: StepHarness.slotCount)
                for register in 0..<10 { state[register] = value &+ UInt64(register) }
                state[0] = value
                state[Int(insn[keyPath: base])] = address
                buffer.copyBytes(from: contents)
                var reference = ReferenceMachine(
                    registers: Array(state[..<10]), memory: contents, memoryBase: address - 64)
                reference.step(insn)
                let after = run(runner, index, state)
                guard Array(after[..<10]) == reference.registers, Array(buffer) == reference.memory else {
                    Issue.record("\(insn) of \(value): \(after), expected \(reference.registers)")
                    return
                }
            }
        }
    }
}
