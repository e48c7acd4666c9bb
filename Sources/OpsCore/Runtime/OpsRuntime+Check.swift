extension OpsRuntime {
    /// Judges every program of an object on its own. Nothing is loaded.
    public func check(
        _ bytes: [UInt8], name: String, options: CheckOptions = CheckOptions()
    ) throws(OpsError) -> [CheckedProgram] {
        throw .notBuiltYet("check")
    }
}
