import BPF
import Foundation
import Glibc
import OpsCore

@testable import Verifier

/// The types of the running kernel, against which both judges judge.
enum KernelTypes {
    static let path = "/sys/kernel/btf/vmlinux"
    static let areReadable = FileManager.default.isReadableFile(atPath: path)
    static let release: String = {
        var names = utsname()
        guard uname(&names) == 0 else { return "?" }
        return withUnsafeBytes(of: names.release) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
    }()
    /// Those of the kernel that the marks describe; another one's may lack what a program uses.
    static let areRecorded = KernelComparison.isRecorded(release)
    static let id: UInt32 = 1
    static let btf = Result { try BTF(parsing: [UInt8](Data(contentsOf: URL(filePath: path)))) }
    static let kfuncs = Result { KfuncRule.prototypes(in: try btf.get(), btf: id) }
}

/// What our verifier says of one program.
struct Judgement {
    var verdict: Marks.Verdict
    var problem: String
    var suggestion: String?
    var processed: Int
    /// What the types that it was judged against do not have, of a program that never reached the verifier.
    var lacking: String?

    /// Without pruning a program of n branches may have 2^n paths: past this many instructions nothing is compared.
    static let budgetWithoutPruning = 4_000

    /// Judges every program of a fixture, each in the context that its section says.
    static func all(of fixture: Fixture, isPruningOff: Bool = false) throws -> [String: Judgement] {
        var options = LinkOptions(
            target: try KernelTypes.btf.get(), targetID: KernelTypes.id,
            kfuncs: try KernelTypes.kfuncs.get(), selection: .everything, keepsGoing: true,
            targetName: "the running kernel")
        options.isForJudgement = true
        let linked = try OpsCore.link(fixture.spec, options: options)
        var result: [String: Judgement] = [:]
        for index in fixture.spec.programs {
            let function = fixture.spec.functions[index]
            guard let program = linked.programs.first(where: { $0.function == index }) else {
                let failure = linked.failures.first { $0.location.program == function.name }
                result[function.name] = Judgement(lacking: failure?.text ?? "not linked")
                continue
            }
            do throws(ContextError) {
                let context = try ProgramContext.derived(
                    fromSection: function.section,
                    types: ProgramContext.Types(btf: options.target, id: options.targetID))
                result[function.name] = Judgement(program.image, context, isPruningOff)
            } catch {
                result[function.name] = Judgement(lacking: "\(error)")
            }
        }
        return result
    }

    private init(verdict: Marks.Verdict, problem: String, processed: Int) {
        (self.verdict, self.problem, self.processed) = (verdict, problem, processed)
    }

    private init(lacking: String) {
        self.init(verdict: .reject, problem: lacking, processed: 0)
        self.lacking = lacking
    }

    private init(_ image: ProgramImage, _ context: ProgramContext, _ isPruningOff: Bool) {
        var verification = Verification(image, context)
        verification.isPruningOff = isPruningOff
        if isPruningOff { verification.budget = Self.budgetWithoutPruning }
        do {
            let program = try verification.run()
            self.init(verdict: .accept, problem: "", processed: program.processed)
        } catch {
            let report = verification.report(error)
            self.init(
                verdict: report.isUnsupported ? .unsupported : .reject, problem: report.problem,
                processed: report.processed)
            suggestion = report.suggestion
        }
    }
}
