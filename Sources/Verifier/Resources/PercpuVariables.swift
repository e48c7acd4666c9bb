import BPF

/// Variables of the kernel, and those that each CPU has a copy of.
extension Explorer {
    /// One CPU's copy of what a per-CPU address stands for.
    func percpuCopy(of value: Register) -> Register {
        var copy = value
        copy.flags.remove(.percpu)
        // The copy belongs to the object, and stays while the RCU section does.
        if value.kind == .allocated {
            copy.flags.insert(.rcu)
            copy.reference = 0
        }
        return copy
    }
}
