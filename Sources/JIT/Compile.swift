package import BPF
package import Verifier

/// What the JIT needs to turn one verified program into machine code.
package struct CompileRequest: Sendable {
    package var program: VerifiedProgram
    /// Of the object; slot i belongs to map i of the program's image.
    package var layout: InstanceLayout
    /// Addresses of C functions of type `ops_helper_fn`, by helper id. They must outlive the code.
    package var helpers: [Int32: UInt]
    /// The same for kfuncs, by index into `program.image.kfuncs`. 0: none behind it.
    package var kfuncs: [UInt]
    /// What kfuncs compute, by the same index, as instructions that may stand in the place of a call; empty: always call it.
    /// They are trusted as the function itself is. Those take part that use R0–R5 and memory alone, only go forwards, end
    /// with their one last exit and are few (`InlinedSubprogs`); others are called.
    package var kfuncBodies: [[Instruction]]
    package var features: CPUFeatures
    package var options: CompileOptions
    /// R1 is an array of this many 8-byte slots, the arguments of a struct_ops member; then a body that only loads them
    /// takes them in registers. 0: R1 is something else.
    package var contextSlots: Int

    package init(
        program: VerifiedProgram, layout: InstanceLayout, helpers: [Int32: UInt] = [:], kfuncs: [UInt] = [],
        kfuncBodies: [[Instruction]] = [], features: CPUFeatures = .host,
        options: CompileOptions = CompileOptions(), contextSlots: Int = 0
    ) {
        self.program = program
        self.layout = layout
        self.helpers = helpers
        self.kfuncs = kfuncs
        self.kfuncBodies = kfuncBodies
        self.features = features
        self.options = options
        self.contextSlots = contextSlots
    }
}

/// Machine code of one program: a *body*, its subprogs and its callback thunks.
///
/// The code is position-independent and starts with the body. A body is called with R1…R5 in rdi, rsi, rdx, rcx, r8 (a
/// fused one with the arguments that `needs` names in their System V registers), the instance block in r12 and rsp as at
/// any System V call; it returns R0 in rax and keeps rbx, rbp, r12…r15. On AArch64: R1…R5 in x0…x4, the block in x23, R0
/// in x0, and the registers that the procedure call standard wants kept.
package struct CompiledProgram: Equatable, Sendable {
    package var code: [UInt8]
    /// Offset in `code` of each instruction of the image; of unreachable ones, of the trap that stands for them
    /// or of what comes behind.
    package var insnOffsets: [Int32]
    /// Offset in `code` of each subprog, the body (0) first.
    package var subprogOffsets: [Int32]
    package var needs: BodyNeeds
}

/// What an entry has to set up before it calls a body.
package struct BodyNeeds: OptionSet, Hashable, Sendable {
    package var rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// R1: the program reads its context.
    package static let context = BodyNeeds(rawValue: 1)
    /// r12: it reaches maps, global data, the arena, helpers or kfuncs.
    package static let block = BodyNeeds(rawValue: 2)
    /// A full `fuel` in the block: it, or something that it calls, may draw on it.
    package static let fuel = BodyNeeds(rawValue: 4)
    /// No need but a promise: R0 has nothing above its lower half.
    package static let narrowResult = BodyNeeds(rawValue: 8)
    /// To be at a multiple of `CodeUnit.alignment`: it has loops that were placed so. Not needed to run, only to run fast.
    package static let cacheLine = BodyNeeds(rawValue: 16)
    package static let all: BodyNeeds = [.context, .block, .fuel]

    /// Argument `index` (0…5) in the register where C passes it, with nothing above its width: a body whose context is
    /// fused away. Never together with `.context`.
    package static func argument(_ index: Int) -> BodyNeeds { BodyNeeds(rawValue: 1 << UInt16(8 + index)) }
    /// The arguments wanted in registers, ascending.
    package var arguments: [Int] { (0..<6).filter { contains(.argument($0)) } }
}

/// Why a verified program could not be compiled.
package enum JITError: Error, Equatable, CustomStringConvertible {
    /// Names an instruction form that has no code generation here, such as a typed ksym address.
    case unsupported(insn: Int, what: String)
    /// No function stands behind the helper or kfunc that the instruction calls.
    case missingFunction(insn: Int, name: String)
    /// The instruction contradicts the instruction set or the image's tables; a verifier that let it pass has a bug.
    case malformed(insn: Int, opcode: UInt8)

    package var description: String {
        switch self {
        case .unsupported(let insn, let what): "insn \(insn): \(what) cannot be compiled here"
        case .missingFunction(let insn, let name): "insn \(insn): nothing stands behind \(name)"
        case .malformed(let insn, let opcode):
            "insn \(insn): opcode 0x\(String(opcode, radix: 16)) in a form that no verified program has"
        }
    }
}

/// The processors that there is a code generator for.
package enum Architecture: Sendable {
    case x86_64, aarch64

    /// What this was built for.
    package static var host: Architecture {
        #if arch(arm64)
            .aarch64
        #else
            .x86_64
        #endif
    }
}

/// Compiles a program.
///
/// - Parameter architecture: code for another than the host's is for tests only: `CodeUnit` takes any bytes.
/// - Throws: `JITError`; the program then has no machine code, and only the interpreter can run it.
package func compile(
    _ request: CompileRequest, for architecture: Architecture = .host
) throws(JITError) -> CompiledProgram {
    switch architecture {
    case .x86_64:
        var generator = try X86Generator(request)
        return try generator.run()
    case .aarch64: return try A64Generator.compile(request)
    }
}
