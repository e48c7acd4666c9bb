import CShim

/// Instructions beyond the x86-64 baseline that generated code may use.
package struct CPUFeatures: OptionSet, Hashable, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `shlx`, `shrx`, `sarx`: shifts by any register, so rcx stays where it is.
    package static let bmi2 = CPUFeatures(rawValue: 1)
    /// Loads and stores that swap bytes.
    package static let movbe = CPUFeatures(rawValue: 2)

    /// Of the processor that this process runs on.
    package static let host = CPUFeatures(rawValue: ops_cpu_features())
}
