import Verifier

/// Verifies one program.
/// - Throws: the refusal, with the place in the C source.
func judge(_ image: ProgramImage, in context: ProgramContext) throws(OpsError) -> VerifiedProgram {
    switch verify(image, in: context) {
    case .accepted(let program): return program
    case .rejected(let report), .unsupported(let report): throw OpsError(report, program: image.name)
    }
}

extension OpsError {
    /// A refusal by the verifier, with the place in the C source.
    init(_ report: VerificationReport, program: String) {
        self.init(
            report.isUnsupported ? "unsupported" : "verifier",
            errno: report.isUnsupported ? OpsError.eopnotsupp : report.errno,
            "program '\(program)': \(report.category.rawValue): \(report.problem)",
            at: Location(
                program: program, insn: report.at?.insn, file: report.at?.file, line: report.at?.line),
            reason: report.reason, suggestion: report.suggestion)
    }
}

extension VerificationReport {
    /// What the kernel answers for such a refusal: EACCES for what touches memory it may not, EINVAL for the rest.
    var errno: CInt {
        switch category {
        case .memory, .registerType, .executionContext, .policy: OpsError.eacces
        case .resourceLifetime, .callType, .programStructure: OpsError.einval
        }
    }
}
