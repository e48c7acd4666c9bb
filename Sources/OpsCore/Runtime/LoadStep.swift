/// The steps from an object's bytes to its registrations, in order. What `Configuration.onStep` is told about.
package enum LoadStep: String, CaseIterable, Sendable {
    /// ELF, BTF, `.BTF.ext`.
    case parse
    /// CO-RE relocations, externs, members.
    case link
    /// One per program.
    case verify
    case compile
    /// Sealed memory for the machine code.
    case publish
    /// Waiting for the SHA-256 that is made beside all before it.
    case hash
    /// The object's own instance of its data, and its ids.
    case instantiate
    /// Maps, entries, the subsystem's registration: INUSE at its end.
    case update
}

extension RuntimeCore {
    func measure<Result, Failure: Error>(
        _ step: LoadStep, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard let onStep = configuration.onStep else { return try body() }
        let start = ContinuousClock.now
        let result = try body()
        onStep(step, ContinuousClock.now - start)
        return result
    }
}
