/// How code is generated. The default is what a service wants; the rest is for tests and for harder settings.
package struct CompileOptions: Hashable, Sendable {
    /// Off, every instruction is translated by itself, in order: for tests that look at one at a time.
    package var optimises = true
    /// Helpers whose meaning `struct ops_block` and the layout fix become code in place of a call. Off, every helper is
    /// called; for a host that puts something else behind a standard id.
    package var inlinesHelpers = true
    /// Constants that a program chooses never stand in its code as they are, so that nobody can plant instructions in
    /// them; see docs/jit.md for the cost. Nothing is optimised then. Kernel counterpart: `net.core.bpf_jit_harden`.
    package var blindsConstants = false
    /// Calls by address go through a return, which branch predictors cannot be trained to mislead.
    package var usesRetpolines = false

    package init(
        optimises: Bool = true, inlinesHelpers: Bool = true, blindsConstants: Bool = false,
        usesRetpolines: Bool = false
    ) {
        // Blinding that the optimiser sees through would be none.
        self.optimises = optimises && !blindsConstants
        self.inlinesHelpers = inlinesHelpers
        self.blindsConstants = blindsConstants
        self.usesRetpolines = usesRetpolines
    }
}
