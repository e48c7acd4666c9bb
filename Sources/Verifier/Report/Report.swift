import BPF

extension Verification {
    /// Adds where and how to what a check threw.
    func report(_ rejection: Rejection) -> VerificationReport {
        return VerificationReport(
            isUnsupported: rejection.isUnsupported, category: rejection.category, problem: rejection.problem,
            reason: rejection.reason, at: nil, causalPath: [], suggestion: rejection.suggestion,
            processed: explorer?.processed ?? 0)
    }
}
