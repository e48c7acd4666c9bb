/// The generator's only source of randomness: equal seeds give equal programs everywhere.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (splitmix64). Arithmetic wraps.
package struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// 0 ..< bound.
    package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    package mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

    /// Numbers at which arithmetic goes wrong, and some ordinary ones.
    mutating func immediate() -> Int32 {
        switch below(8) {
        case 0: Int32(below(9)) - 4
        case 1: 1 << Int32(below(31))
        case 2: (1 << Int32(below(31))) - 1
        case 3: pick([.min, .max, -1, 0x7fff, -0x8000, 0xff, 0x100, -128, 127, 128])
        case 4: Int32(truncatingIfNeeded: next() & 0xff)
        default: Int32(truncatingIfNeeded: next())
        }
    }

    mutating func wide() -> UInt64 {
        switch below(6) {
        case 0: 1 << UInt64(below(64))
        case 1: UInt64(bitPattern: Int64(immediate()))
        case 2: pick([0, .max, 1 << 63, 1 << 63 - 1, 0xffff_ffff, 1 << 32])
        default: next()
        }
    }
}
