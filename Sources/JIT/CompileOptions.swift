/// How code is generated. The default is what a service wants; the rest is for tests and for harder settings.
package struct CompileOptions: Hashable, Sendable {
    /// Off, every instruction is translated by itself, in order: for tests that look at one at a time.
    package var optimises = true
    /// Helpers whose meaning `struct ops_block` and the layout fix become code in place of a call. Off, every helper is
    /// called; for a host that puts something else behind a standard id.
    package var inlinesHelpers = true

    package init(optimises: Bool = true, inlinesHelpers: Bool = true) {
        self.optimises = optimises
        self.inlinesHelpers = inlinesHelpers
    }
}
