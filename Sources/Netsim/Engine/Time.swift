/// Simulated time: nanoseconds since the start of the run. What programs see adds the world's boot offset.
typealias Nanoseconds = Int64

extension Nanoseconds {
    static let microsecond: Nanoseconds = 1_000
    static let millisecond: Nanoseconds = 1_000_000
    static let second: Nanoseconds = 1_000_000_000
    /// A time that no event has.
    static let never: Nanoseconds = .max
}

/// Sequence numbers wrap; `a` is before `b` if the shorter way round goes forward. Kernel: `before()`, `after()`.
@inline(__always) func before(_ a: UInt32, _ b: UInt32) -> Bool { Int32(bitPattern: a &- b) < 0 }
@inline(__always) func after(_ a: UInt32, _ b: UInt32) -> Bool { Int32(bitPattern: b &- a) < 0 }

/// The splitmix64 generator: the state advances before each draw.
package struct SplitMix64 {
    var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Uniform in 0 ..< 1, from the top 53 bits.
    package mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A generator of its own for one component, so that adding a component does not shift the others.
    static func split(seed: UInt64, name: StaticString) -> SplitMix64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        name.withUTF8Buffer { for byte in $0 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 } }
        var generator = SplitMix64(seed: seed ^ hash)
        return SplitMix64(seed: generator.next())
    }
}
