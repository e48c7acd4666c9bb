import BPF

extension Linker {
    /// CO-RE relocations of one function.
    func applyCORE(of function: FunctionSpec, to part: inout RelocatedFunction) throws(OpsError) {
    }
}
