package import ControlAPI
import OpsCore

/// What `check` is asked.
package struct CheckRequest: Sendable {
    package var program: String?
    /// `auto`, `none`, or the name of a struct_ops type.
    package var context: String
    package var btf: [UInt8]?
    package var logLevel: Int
    /// Asked now and then; true ends the check.
    package var isCancelled: (@Sendable () -> Bool)?

    package init(
        program: String? = nil, context: String = "auto", btf: [UInt8]? = nil, logLevel: Int = 0,
        isCancelled: (@Sendable () -> Bool)? = nil
    ) {
        self.program = program
        self.context = context
        self.btf = btf
        self.logLevel = logLevel
        self.isCancelled = isCancelled
    }
}

extension RuntimeHost {
    package func check(
        _ bytes: [UInt8], name: String, _ request: CheckRequest
    ) throws(Refusal) -> [ProgramVerdict] {
        let context: CheckOptions.Context =
            switch request.context {
            case "auto": .auto
            case "none": .none
            default: .type(request.context)
            }
        let options = CheckOptions(
            program: request.program, context: context, btf: request.btf, logLevel: request.logLevel,
            isCancelled: request.isCancelled)
        return try refusing { () throws(OpsError) in try runtime.check(bytes, name: name, options: options) }
            .map { checked in
                ProgramVerdict(
                    object: name, program: checked.program, section: checked.section,
                    context: checked.context,
                    verdict: checked.verdict.rawValue, reason: checked.reason.map(ProgramVerdict.Reason.init),
                    insns: checked.insnCount, insnsProcessed: checked.processed, bound: checked.bound,
                    verifyUs: checked.verifyMicroseconds, log: request.logLevel > 0 ? checked.log : nil)
            }
    }
}

extension ProgramVerdict.Reason {
    fileprivate init(_ reason: CheckedProgram.Reason) {
        self.init(
            kind: reason.kind.rawValue, headline: reason.headline, category: reason.category,
            problem: reason.problem, reason: reason.reason, at: reason.at,
            causalPath: reason.causalPath, suggestion: reason.suggestion)
    }
}
