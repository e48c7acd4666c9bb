import BPF
import Verifier

/// Writes random programs that a verifier should accept: it builds statement by statement and knows what every register
/// holds, so most of what it writes is safe by construction, while constants, widths and conditions are anything.
///
/// Covered: arithmetic of both widths, all jumps, loops up and down with every exit, stack, maps and global data with all
/// access sizes, constant and variable offsets, spilled pointers, atomics, helpers, subprogs, global functions, callbacks;
/// as context plain memory, or the arguments of a struct_ops member: an object with fields to read and write, and
/// pointers to others that may lead anywhere.
package struct ProgramGenerator {
    package struct Options: Sendable {
        /// Statements of the main function, about five instructions each.
        package var statements = 4...24
        package var fuel: UInt64 = 256
        package var allowsMayGoto = true
        package var allowsCallbacks = true
        package var allowsMaps = true
        /// Helpers that fill memory.
        package var allowsMemoryHelpers = true
        /// What statements choose from, beside global data; several times for more of one.
        package var maps: [GeneratedMap] = [.array, .array, .hash, .hash, .percpuArray]
        /// Of 100 programs, how many are members of a struct_ops type; the others work on plain memory.
        package var memberPercentage = 35

        package init() {}
    }

    let options: Options
    private let seed: UInt64
    var random: SplitMix
    var insns: [Instruction] = []
    var state = FrameState(stackBytes: 0)
    var statistics = GeneratedProgram.Statistics()
    let inputByteCount: Int
    /// R6 of most functions is a `struct node`, else plain memory.
    let hasNode: Bool
    /// Functions still to be written, with the calls that want their address.
    var pending: [PendingFunction] = []
    private var subprogs = [ProgramImage.Subprog(name: "f0", start: 0)]
    /// Nested statements end here.
    var depth = 0
    /// How many calls are around the function that is being written.
    var callDepth = 0
    /// What writes a turn of a loop must not start another long one.
    var loopDepth = 0

    struct PendingFunction {
        enum Kind {
            /// f(context, number, number, number).
            case subprog
            /// f(node or number, number, two words or nothing), verified by itself.
            case global
            /// f(index, stack pointer to two words).
            case loopCallback
            /// f(map, key, value, context): the value is 32 bytes.
            case elementCallback
        }
        var kind: Kind
        /// Instructions whose `imm` is the distance to the function.
        var references: [Int]
        var callDepth: Int
    }

    package init(seed: UInt64, options: Options = Options()) {
        self.seed = seed
        self.options = options
        random = SplitMix(seed: seed)
        hasNode = random.chance(options.memberPercentage)
        inputByteCount = hasNode ? GeneratedNodes.inputByteCount : 16 * (1 + random.below(6))
    }

    package consuming func generate() -> GeneratedProgram {
        writeMain()
        while !pending.isEmpty { writeFunction(pending.removeFirst()) }
        statistics.insns = insns.count
        let input = (0..<inputByteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let image = ProgramImage(
            name: "generated", section: "test", insns: insns,
            subprogs: subprogs, maps: GeneratedMap.allCases.map(\.description), btf: GeneratedTypes.btf)
        let context = ProgramContext(
            name: "generated",
            arguments: hasNode
                ? .slots(prototype: GeneratedTypes.member, stub: nil) : .memory(byteCount: inputByteCount),
            target: GeneratedTypes.btf, result: .scalar, helpers: GeneratedHelper.all,
            writable: GeneratedTypes.fields.filter { $0.isWritable }.map {
                ProgramContext.WritableField(
                    structure: GeneratedTypes.node, offset: $0.offset, byteCount: $0.byteCount,
                    allowsInnerOffsets: $0.isArray)
            }, fuel: options.fuel)
        return GeneratedProgram(
            seed: seed, image: image, context: context, input: input, statistics: statistics)
    }

    // MARK: Functions

    private mutating func writeMain() {
        state = FrameState(stackBytes: 160)
        let kept = hasNode ? loadArguments() : nil
        if !hasNode {
            emit(.mov64(6, 1))
            state.kinds[2] = .number
        }
        state.kinds[6] = .context
        for register: UInt8 in [0, 7, 8, 9] where state.kinds[Int(register)] != .number {
            writeNumber(to: register)
        }
        writeStatements(options.statements.lowerBound + random.below(options.statements.count))
        if let kept { foldArguments(at: kept) }
        writeResult()
    }

    private mutating func writeFunction(_ function: PendingFunction) {
        let start = insns.count
        subprogs.append(
            ProgramImage.Subprog(
                name: "f\(subprogs.count)", start: start,
                function: hasNode ? GeneratedTypes.globalOfNode : GeneratedTypes.global,
                isGlobal: function.kind == .global))
        for reference in function.references { insns[reference].imm = Int32(start - reference - 1) }
        callDepth = function.callDepth
        state = FrameState(stackBytes: 64)
        switch function.kind {
        case .subprog:
            emit(.mov64(6, 1))
            state.kinds[6] = .context
            for register in 2...4 { state.kinds[register] = .number }
            emit(.mov64(7, 2))
            emit(.mov64(8, 3))
            emit(.mov64(9, 4))
        case .global:
            writeGlobalPrologue()
        case .loopCallback:
            // The two words stay reachable through R8: one to read, one to write.
            emit(.mov64(7, 1))
            emit(.load(.double, 9, 2, 0))
            emit(.mov64(8, 2))
            state.kinds[8] = .pinned(isNumber: false)
        case .elementCallback:
            emit(.load(.word, 7, 2, 0))
            emit(.load(.double, 9, 3, 0))
            emit(.mov64(8, 3))
            state.kinds[8] = .pinned(isNumber: false)
        }
        for register in [0, 7, 9] { state.kinds[register] = .number }
        if state.kinds[8] == .nothing { state.kinds[8] = .number }
        emit(.mov64(0, imm: random.immediate()))
        writeStatements(1 + random.below(4))
        if function.kind == .subprog || function.kind == .global { return writeResult() }
        // A callback returns 0 to go on or 1 to stop, and leaves a trace in the word that it does not read: what one turn
        // hands to the next costs verification time without end in sight.
        emit(.store(.double, 8, 8, number()))
        emit(.alu64(Opcode.add, 0, number()))
        emit(.alu64(Opcode.and, 0, imm: random.chance(30) ? 1 : 0))
        emit(.exit)
    }

    /// R0 = a mix of everything that is known to be a number, the written bytes of the stack included.
    private mutating func writeResult() {
        for register in state.numbers where register != 0 { fold(register) }
        for offset in stride(from: -8, through: -state.isWritten.count, by: -8)
        where state.isReadable(offset: offset, count: 8) {
            emit(.load(.double, 1, 10, Int16(offset)))
            fold(1)
        }
        emit(.exit)
    }

    mutating func fold(_ register: UInt8) {
        emit(.alu64(Opcode.mul, 0, imm: 31))
        emit(.alu64(Opcode.xor, 0, register))
    }

    // MARK: What all statements use

    mutating func emit(_ insn: Instruction) { insns.append(insn) }

    mutating func writeNumber(to register: UInt8) {
        if random.chance(40), state.kinds[6] == .context {
            writeContextLoad(to: register)
        } else if random.chance(30) {
            let value = random.wide()
            emit(
                Instruction(
                    opcode: Opcode.loadImm64, dst: register, imm: Int32(truncatingIfNeeded: value)))
            emit(Instruction(opcode: 0, imm: Int32(truncatingIfNeeded: value >> 32)))
        } else {
            emit(.mov64(register, imm: random.immediate()))
        }
        state.kinds[Int(register)] = .number
    }

    /// A register that holds a number; one is made if there is none.
    mutating func number() -> UInt8 { state.numbers.isEmpty ? makeNumber() : random.pick(state.numbers) }

    /// A register that holds a number and may be changed.
    mutating func changeableNumber() -> UInt8 {
        state.changeable.isEmpty ? makeNumber() : random.pick(state.changeable)
    }

    /// Statements pin two or three registers at most, so one of R1–R5 is always free.
    private mutating func makeNumber() -> UInt8 {
        let register = UInt8((1...5).first { state.kinds[$0] == .nothing } ?? 5)
        emit(.mov64(register, imm: random.immediate()))
        state.kinds[Int(register)] = .number
        return register
    }

    mutating func writeStatements(_ count: Int) {
        for _ in 0..<count { writeStatement() }
    }
}

extension Instruction {
    static func mov64(_ dst: UInt8, _ src: UInt8) -> Instruction {
        Instruction(opcode: 0xbf, dst: dst, src: src)
    }
    static func mov64(_ dst: UInt8, imm: Int32) -> Instruction {
        Instruction(opcode: 0xb7, dst: dst, imm: imm)
    }
    static func alu64(_ operation: UInt8, _ dst: UInt8, _ src: UInt8) -> Instruction {
        Instruction(opcode: operation | 0x0f, dst: dst, src: src)
    }
    static func alu64(_ operation: UInt8, _ dst: UInt8, imm: Int32) -> Instruction {
        Instruction(opcode: operation | 0x07, dst: dst, imm: imm)
    }
    static func load(_ size: AccessSize, _ dst: UInt8, _ src: UInt8, _ offset: Int16) -> Instruction {
        Instruction(opcode: 0x61 | size.rawValue, dst: dst, src: src, offset: offset)
    }
    static func store(_ size: AccessSize, _ dst: UInt8, _ offset: Int16, _ src: UInt8) -> Instruction {
        Instruction(opcode: 0x63 | size.rawValue, dst: dst, src: src, offset: offset)
    }
    static func call(_ helper: Int32) -> Instruction { Instruction(opcode: Opcode.call, imm: helper) }
    static let exit = Instruction(opcode: Opcode.exit)
}
