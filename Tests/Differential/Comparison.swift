import BPF
import CShim
import JIT
import OpsCore
import ProgramGenerator
import Verifier

/// One generated program, run in the interpreter and as machine code on instances that are equal before; and in the
/// interpreter over hostile inputs, inside what the verifier has seen.
struct Comparison {
    enum Outcome {
        case refused(String)
        /// `isInside`: every state of the interpreter was found inside one that the verifier saw.
        case agreed(isInside: Bool)
        case differed(String)
    }

    let program: GeneratedProgram
    /// Of a member of a struct_ops type: its objects.
    let nodes: NodeMemory?
    /// Whether a program may read parts of addresses: not if it is compared between processes.
    let showsAddresses: Bool

    /// - Parameter nodes: an arena to use again.
    init(program: GeneratedProgram, nodes: NodeMemory? = nil, showsAddresses: Bool = true) throws {
        self.program = program
        self.nodes = program.isMember ? try nodes ?? NodeMemory() : nil
        self.showsAddresses = showsAddresses
    }

    /// - Parameter looksInside: also runs it over hostile inputs, each step held against what the verifier has seen.
    func run(looksInside: Bool = true) throws -> Outcome {
        let (verified, refusal) = verified()
        guard let verified else { return refusal }
        let expected: Effect
        do {
            expected = try interpret(verified)
        } catch let fault as InterpreterFault {
            return .differed("accepted, but the interpreter stops: \(fault)")
        }
        for variant in Self.variants {
            let actual = try execute(verified, variant)
            if actual != expected {
                return .differed(
                    "machine code (\(variant.name)) differs from the interpreter\n"
                        + actual.differences(from: expected, in: program))
            }
        }
        guard looksInside else { return .agreed(isInside: false) }
        let observed = ObservedStates(of: program.image, in: program.context, budget: Self.statesBudget)
        if let violation = try violation(verified, observed) { return .differed(violation) }
        return .agreed(isInside: observed != nil)
    }

    /// Instructions to look at for the states of one program; of longer ones only runs are checked.
    private static let statesBudget = 4000

    /// Runs over inputs made to hit the edges.
    private func violation(_ verified: VerifiedProgram, _ observed: ObservedStates?) throws -> String? {
        for (index, input) in program.hostileInputs.enumerated() {
            let instance = try instance()
            let interpreter = try Interpreter(verified, on: instance)
            var containment: Containment?
            do {
                _ = try run(interpreter, on: input) { region in
                    guard let observed else { return }
                    let looking = Containment(observed, program.image, region: region)
                    interpreter.onStep = { looking.look($0) }
                    containment = looking
                }
            } catch let fault as InterpreterFault {
                return "accepted, but the interpreter stops on hostile input \(index): \(fault)"
            }
            if let failure = containment?.failure { return "hostile input \(index): \(failure)" }
        }
        return nil
    }

    /// The program, or why it is none.
    func verified() -> (VerifiedProgram?, Outcome) {
        switch verify(program.image, in: program.context) {
        case .accepted(let accepted): (accepted, .agreed(isInside: false))
        case .rejected(let report), .unsupported(let report):
            (nil, .refused("\(report.problem): \(report.reason)"))
        }
    }

    // MARK: The two machines

    func instance() throws -> Instance {
        var configuration = Instance.Configuration()
        configuration.cpus = 2
        configuration.seed = program.seed
        configuration.fuelPerCall = program.context.fuel
        configuration.traceLineCount = 1
        let instance = try Instance(
            maps: program.image.maps, arena: nodes?.arena, configuration: configuration)
        // Also one that the world does not have.
        instance.block.pointee.cpu = UInt32(program.seed % 3)
        instance.block.pointee.ktime_ns = program.seed &* 1_000_003
        instance.block.pointee.jiffies64 = program.seed &+ 4_294_937_296
        return instance
    }

    func interpret(_ verified: VerifiedProgram) throws -> Effect {
        let instance = try instance()
        let (r0, memory) = try run(try Interpreter(verified, on: instance), on: program.input)
        return try effect(r0, memory, instance)
    }

    /// - Parameter prepare: called with the address of the memory that R1 will point to, 0 where it is none.
    private func run(
        _ interpreter: Interpreter, on input: [UInt8], prepare: (UInt) -> Void = { _ in }
    ) throws -> (r0: UInt64, memory: [UInt8]) {
        guard let nodes else {
            var memory = input
            let r0 = try memory.withUnsafeMutableBytes { region in
                prepare(UInt(bitPattern: region.baseAddress))
                return try interpreter.run(region: region)
            }
            return (r0, memory)
        }
        prepare(0)
        nodes.fill(with: objects(of: input, at: nodes.start))
        let numbers = GeneratedNodes.numbers(of: input)
        let r0 = try interpreter.run(slots: [nodes.start, numbers.0, numbers.1])
        return (r0, nodes.contents)
    }

    func objects(of input: [UInt8], at start: UInt64) -> [UInt8] {
        GeneratedNodes.objects(
            of: input, at: start, arenaByteCount: NodeMemory.arenaByteCount, showsAddresses: showsAddresses)
    }

    // MARK: Machine code

    /// How a program is compiled and called.
    private struct Variant {
        var name: String
        var options: CompileOptions
        /// Arguments may come in registers, and short code stands in its entry.
        var fuses = false
    }

    private static let variants = [
        Variant(name: "as a service compiles", options: CompileOptions(), fuses: true),
        Variant(name: "every helper called", options: CompileOptions(inlinesHelpers: false)),
        // Which also turns the optimiser off.
        Variant(
            name: "hardened", options: CompileOptions(blindsConstants: true, usesRetpolines: true),
            fuses: true),
    ]

    private func execute(_ verified: VerifiedProgram, _ variant: Variant) throws -> Effect {
        let instance = try instance()
        let model = program.funcModel
        let compiled = try compile(
            CompileRequest(
                program: verified, layout: instance.layout, helpers: HelperTable.base.addresses,
                options: variant.options,
                contextSlots: variant.fuses && program.isMember ? model.arguments.count : 0))
        let code = try CodeUnit([compiled], name: "differential")
        let entries = try EntryUnit([
            EntryRequest(
                model: model, body: code.body(0), block: UnsafeMutableRawPointer(instance.block),
                kind: program.isMember ? .context : .registers, needs: compiled.needs,
                code: variant.fuses ? compiled.code : [])
        ])
        typealias Entry = @convention(c) (UInt64, UInt64, UInt64) -> UInt64
        let entry = unsafeBitCast(entries.pointer(0), to: Entry.self)
        return try withExtendedLifetime((code, entries)) {
            if let nodes {
                nodes.fill(with: objects(of: program.input, at: nodes.start))
                let numbers = GeneratedNodes.numbers(of: program.input)
                let r0 = entry(nodes.start, numbers.0, numbers.1)
                return try effect(r0, nodes.contents, instance)
            }
            var memory = program.input
            let r0 = memory.withUnsafeMutableBytes {
                entry(UInt64(UInt(bitPattern: $0.baseAddress)), UInt64($0.count), 0)
            }
            return try effect(r0, memory, instance)
        }
    }

    func effect(_ r0: UInt64, _ memory: [UInt8], _ instance: Instance) throws -> Effect {
        Effect(
            r0: r0, memory: program.isMember ? GeneratedNodes.withoutPointers(memory) : memory,
            fuelLeft: instance.block.pointee.fuel, randomState: instance.block.pointee.prandom_state,
            maps: try instance.maps.map { map in
                try map.elements().map { Effect.Element(key: $0.key, value: $0.value) }
            })
    }
}

extension GeneratedProgram {
    /// Whether it is a member of a struct_ops type.
    var isMember: Bool {
        if case .slots = context.arguments { true } else { false }
    }

    /// What its caller passes.
    var funcModel: FuncModel {
        let word = FuncModel.Value(byteCount: 8)
        return FuncModel(
            arguments: isMember ? [word, word, FuncModel.Value(byteCount: 4)] : [word, word], result: word)
    }
}
