extension Quantity {
    /// What a value of a scenario comes to as a number, whatever it is a value of.
    package struct Measure: Equatable, Sendable {
        /// In `unit`.
        package var value: Double
        /// As results have it: `ms`, `bit/s`, `bytes`; of other values the letters behind the number (`%`, `bdp`, ``).
        package var unit: String
        /// The letters behind the number.
        package var written: String
        /// How many of `unit` one of `written` is.
        package var factor: Double
        /// It has no fraction.
        package var isWhole: Bool
    }

    /// nil: not a number.
    package static func measure(_ text: String) -> Measure? {
        guard let parts = split(text) else { return nil }
        let written = String(parts.unit)
        var number = Double(parts.digits)
        for _ in 0..<parts.scale { number /= 10 }
        let known: [String: (Double, String)] = [
            "ns": (1e-6, "ms"), "us": (1e-3, "ms"), "ms": (1, "ms"), "s": (1e3, "ms"), "bit": (1, "bit/s"),
            "kbit": (1e3, "bit/s"), "Mbit": (1e6, "bit/s"), "Gbit": (1e9, "bit/s"), "B": (1, "bytes"),
            "kB": (1e3, "bytes"), "MB": (1e6, "bytes"), "GB": (1e9, "bytes"), "KiB": (1024, "bytes"),
            "MiB": (1_048_576, "bytes"),
        ]
        let (factor, unit) = known[written] ?? (1, written)
        return Measure(
            value: number * factor, unit: unit, written: written, factor: factor, isWhole: parts.scale == 0)
    }
}
