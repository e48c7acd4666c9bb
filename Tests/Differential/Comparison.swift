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
    /// What a program can change, and so what must be equal afterwards.
    struct Effect: Equatable {
        var r0: UInt64
        var memory: [UInt8]
        var fuelLeft: UInt64
        var randomState: UInt64
        var maps: [[Element]]
    }
    struct Element: Equatable {
        var key: [UInt8]
        var value: [UInt8]
    }

    func run() throws -> Outcome {
        let (verified, refusal) = verified()
        guard let verified else { return refusal }
        let expected: Effect
        do {
            expected = try interpret(verified)
        } catch let fault as InterpreterFault {
            return .differed("accepted, but the interpreter stops: \(fault)")
        }
        for options in Comparison.options {
            let actual = try execute(verified, options)
            if actual != expected {
                return .differed("code: \(actual)\ninterpreter: \(expected)\n\(options)")
            }
        }
        let observed = ObservedStates(of: program.image, in: program.context, budget: Self.statesBudget)
        if let violation = try violation(verified, observed) {
            return .differed("hostile input: \(violation)")
        }
        return .agreed(isInside: observed != nil)
    }

    /// Instructions to look at for the states of one program; of longer ones only runs are checked.
    private static let statesBudget = 4000

    /// Runs over inputs made to hit the edges.
    private func violation(_ verified: VerifiedProgram, _ observed: ObservedStates?) throws -> String? {
        for input in program.hostileInputs {
            let instance = try instance()
            let interpreter = try Interpreter(verified, on: instance)
            var memory = input
            let failure: String? = try memory.withUnsafeMutableBytes { region in
                let containment = observed.map {
                    Containment($0, region: UInt(bitPattern: region.baseAddress))
                }
                if let containment { interpreter.onStep = { containment.look($0) } }
                do {
                    _ = try interpreter.run(region: region)
                } catch let fault as InterpreterFault {
                    return "accepted, but the interpreter stops: \(fault)"
                }
                return containment?.failure
            }
            if let failure { return failure }
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
        configuration.seed = program.seed
        configuration.fuelPerCall = program.context.fuel
        configuration.traceLineCount = 1
        let instance = try Instance(maps: program.image.maps, configuration: configuration)
        instance.block.pointee.ktime_ns = program.seed &* 1_000_003
        instance.block.pointee.jiffies64 = program.seed &+ 4_294_937_296
        return instance
    }

    func interpret(_ verified: VerifiedProgram) throws -> Effect {
        let instance = try instance()
        let interpreter = try Interpreter(verified, on: instance)
        var memory = program.input
        let r0 = try interpreter.run(data: &memory)
        return try effect(r0, memory, instance)
    }

    /// As a service compiles, with every helper called, and hardened (which also turns the optimiser off).
    private static let options = [
        CompileOptions(), CompileOptions(inlinesHelpers: false),
        CompileOptions(blindsConstants: true, usesRetpolines: true),
    ]

    private func execute(_ verified: VerifiedProgram, _ options: CompileOptions) throws -> Effect {
        let instance = try instance()
        let compiled = try compile(
            CompileRequest(
                program: verified, layout: instance.layout, helpers: HelperTable.base.addresses,
                options: options))
        let code = try CodeUnit([compiled], name: "differential")
        let word = FuncModel.Value(byteCount: 8)
        let entries = try EntryUnit([
            EntryRequest(
                model: FuncModel(arguments: [word, word], result: word), body: code.body(0),
                block: UnsafeMutableRawPointer(instance.block), kind: .registers, needs: compiled.needs)
        ])
        let entry = unsafeBitCast(entries.pointer(0), to: (@convention(c) (UInt64, UInt64) -> UInt64).self)
        var memory = program.input
        let r0 = memory.withUnsafeMutableBytes {
            entry(UInt64(UInt(bitPattern: $0.baseAddress)), UInt64($0.count))
        }
        return try withExtendedLifetime((code, entries)) { try effect(r0, memory, instance) }
    }

    func effect(_ r0: UInt64, _ memory: [UInt8], _ instance: Instance) throws -> Effect {
        Effect(
            r0: r0, memory: memory, fuelLeft: instance.block.pointee.fuel,
            randomState: instance.block.pointee.prandom_state,
            maps: try instance.maps.map { map in
                try map.elements().map { Element(key: $0.key, value: $0.value) }
            })
    }
}
