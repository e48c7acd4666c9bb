import CShim

/// Instructions beyond the baseline of an architecture that generated code may use.
package struct CPUFeatures: OptionSet, Hashable, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `shlx`, `shrx`, `sarx`: shifts by any register, so rcx stays where it is.
    package static let bmi2 = CPUFeatures(rawValue: 1)
    /// Loads and stores that swap bytes.
    package static let movbe = CPUFeatures(rawValue: 2)

    /// AArch64: the atomics of Armv8.1 (`ldadd`, `cas` …).
    package static let lse = CPUFeatures(rawValue: 4)

    /// Of the processor that this process runs on.
    package static let host = CPUFeatures(rawValue: ops_cpu_features())
}
