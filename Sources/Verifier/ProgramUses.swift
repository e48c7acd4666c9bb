/// What a program asks of its surroundings, over all paths that can be taken.
///
/// The verifier knows more helpers and kinds of objects than a runtime need have: who runs a program looks here first,
/// and refuses by name what it cannot do.
package struct ProgramUses: Equatable, Sendable {
    /// Helpers called, by id.
    package var helpers: Set<Int32> = []
    /// Kfuncs called, by name.
    package var kfuncs: Set<String> = []
    /// Variables of the kernel whose address is taken.
    package var takesKernelVariables = false
    /// Maps whose lookups lead to other maps, by index.
    package var mapsOfMaps: Set<Int> = []
}
