import BPF

extension Linker {
    /// CO-RE relocations of one function. A field that the target has not poisons its instruction; a relocation that
    /// contradicts the object itself refuses it.
    mutating func applyCORE(of function: FunctionSpec, to part: inout RelocatedFunction) throws(OpsError) {
        guard !function.coreRelocations.isEmpty, resolver != nil else { return }
        do throws(COREError) {
            // Through the optional, so that what it has resolved stays known for the next function.
            let outcome = try resolver?.apply(function.coreRelocations, to: &part.insns) ?? COREOutcome()
            part.corePatched = outcome.relocated
            part.poisons = outcome.poisons
        } catch {
            try fail(
                OpsError(
                    "object", errno: OpsError.einval, "CO-RE relocation failed",
                    at: location(program: function.name), reason: "\(error)",
                    suggestion:
                        "recompile the object; if the target has the type several times, name one of its flavours"
                ))
            // Nothing of a half-patched function may run.
            part = RelocatedFunction(insns: function.insns, lines: function.lines)
            part.poisons[0] = "\(error)"
        }
    }
}
