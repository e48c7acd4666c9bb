/// Numbers with units, as scenario files write them: exact decimal arithmetic, nothing that can trap.
package enum Quantity {
    /// A decimal number: digits × 10^-scale, and the letters after it.
    struct Parts {
        var digits: UInt64
        var scale: Int
        var unit: Substring
    }

    /// Digits with at most one point and at most 18 of them, then a unit; no sign, no exponent.
    static func split(_ text: String) -> Parts? {
        var digits: UInt64 = 0
        var count = 0
        var scale = 0
        var sawPoint = false
        var index = text.startIndex
        while index < text.endIndex {
            let character = text[index]
            if character == "." {
                guard !sawPoint, count > 0 else { return nil }
                sawPoint = true
            } else if let digit = character.asciiDigit {
                guard count < 18 else { return nil }
                digits = digits * 10 + digit
                count += 1
                if sawPoint { scale += 1 }
            } else {
                break
            }
            index = text.index(after: index)
        }
        guard count > 0, !(sawPoint && scale == 0) else { return nil }
        return Parts(digits: digits, scale: scale, unit: text[index...])
    }

    /// digits × multiplier / 10^scale, rounded down; nil if over `limit`.
    static func scaled(_ parts: Parts, by multiplier: UInt64, limit: UInt64) -> UInt64? {
        let product = UInt128(parts.digits) * UInt128(multiplier)
        var divisor: UInt128 = 1
        for _ in 0..<parts.scale { divisor *= 10 }
        let value = product / divisor
        return value <= UInt128(limit) ? UInt64(value) : nil
    }

    static func time(_ text: String) -> Int64? {
        guard let parts = split(text) else { return nil }
        let units: [Substring: UInt64] = ["ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000]
        guard let unit = units[parts.unit] ?? (parts.digits == 0 && parts.unit.isEmpty ? 1 : nil) else {
            return nil
        }
        return scaled(parts, by: unit, limit: UInt64(Scenario.Limit.duration)).map(Int64.init)
    }

    /// Bits per second, at least 1.
    static func rate(_ text: String) -> UInt64? {
        guard let parts = split(text) else { return nil }
        let units: [Substring: UInt64] = ["bit": 1, "kbit": 1_000, "Mbit": 1_000_000, "Gbit": 1_000_000_000]
        guard let unit = units[parts.unit],
            let value = scaled(parts, by: unit, limit: Scenario.Limit.rate), value >= 1
        else { return nil }
        return value
    }

    /// Bytes. - Parameter bdp: bytes of one bandwidth-delay product; nil where the unit makes no sense.
    static func size(_ text: String, bdp: UInt64?) -> UInt64? {
        guard let parts = split(text) else { return nil }
        var units: [Substring: UInt64] = [
            "B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "KiB": 1 << 10, "MiB": 1 << 20,
        ]
        if let bdp {
            units["p"] = 1500
            units["bdp"] = bdp
        }
        guard let unit = units[parts.unit] else { return nil }
        return scaled(parts, by: unit, limit: Scenario.Limit.size)
    }

    /// A probability: `1%` or `0.01`.
    static func probability(_ text: String) -> Double? {
        guard let parts = split(text), parts.unit.isEmpty || parts.unit == "%" else { return nil }
        var divisor = parts.unit.isEmpty ? 1.0 : 100.0
        for _ in 0..<parts.scale { divisor *= 10 }
        let value = Double(parts.digits) / divisor
        return value <= 1 ? value : nil
    }

    static func integer(_ text: String, limit: UInt64) -> UInt64? {
        guard !text.isEmpty, text.utf8.count <= 20 else { return nil }
        var value: UInt64 = 0
        for character in text {
            guard let digit = character.asciiDigit else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(digit)
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value <= limit ? value : nil
    }

    static func boolean(_ text: String) -> Bool? {
        switch text {
        case "true", "yes", "on": true
        case "false", "no", "off": false
        default: nil
        }
    }
}

extension Character {
    fileprivate var asciiDigit: UInt64? {
        guard let value = asciiValue, value >= 48, value <= 57 else { return nil }
        return UInt64(value - 48)
    }
}
