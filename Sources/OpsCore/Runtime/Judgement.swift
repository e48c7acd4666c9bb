import Verifier

/// Verifies one program.
/// - Throws: the refusal, with the place in the C source.
func judge(_ image: ProgramImage, in context: ProgramContext) throws(OpsError) -> VerifiedProgram {
    throw .notBuiltYet("verification of '\(image.name)' as \(context.name)")
}

extension OpsError {
    /// What is not built here says so.
    static func notBuiltYet(_ what: String) -> OpsError {
        OpsError("unsupported", errno: eopnotsupp, "\(what) is not built yet")
    }
}
