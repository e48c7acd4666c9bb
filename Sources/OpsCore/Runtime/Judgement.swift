import Verifier

/// Verifies one program.
/// - Throws: the refusal, with the place in the C source; ECANCELED once `isCancelled` says true.
func judge(
    _ image: ProgramImage, in context: ProgramContext, isCancelled: (@Sendable () -> Bool)? = nil
) throws(OpsError) -> VerifiedProgram {
    var options = VerificationOptions(isCancelled: isCancelled)
    #if DEBUG
        options.provesNothing = VerifierSwitch.isOff(for: image.name)
    #endif
    let outcome = verify(image, in: context, options: options).outcome
    if let isCancelled, isCancelled() {
        throw OpsError(
            "cancelled", errno: OpsError.ecanceled, "program '\(image.name)': verification was cancelled",
            at: OpsError.Location(program: image.name))
    }
    switch outcome {
    case .accepted(let program): return program
    case .rejected(let report), .unsupported(let report): throw OpsError(report, program: image.name)
    }
}

extension VerifiedProgram {
    /// Refuses by name what is safe, but has no implementation here.
    func checkRunnable(with table: HelperTable) throws(OpsError) {
        let helpers = uses.helpers.filter { table[$0] == nil }.sorted().map { HelperPrototype.name(of: $0) }
        let kfuncs = uses.kfuncs.filter { table.kfunc(named: $0) == nil }.sorted()
        let maps = uses.mapsOfMaps.sorted().map { "map of maps '\(image.maps[$0].name)'" }
        let missing =
            helpers.map { "helper \($0)" } + kfuncs.map { "kfunc \($0)" } + maps
            + (uses.takesKernelVariables ? ["the address of a kernel variable"] : [])
        guard let first = missing.first else { return }
        throw OpsError(
            "unsupported", errno: OpsError.eopnotsupp, "program '\(image.name)': \(first) cannot be run here",
            at: OpsError.Location(program: image.name),
            reason: missing.count == 1
                ? "the program is safe, and nothing here implements it"
                : "the program is safe, and nothing here implements \(missing.joined(separator: ", "))")
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
