/// Counts of one link and the distribution of its queueing delay.
struct LinkStatistics {
    var arrived: UInt64 = 0
    /// Tail drops.
    var dropped: UInt64 = 0
    /// Random loss and outage.
    var lost: UInt64 = 0
    var marked: UInt64 = 0
    var accepted: UInt64 = 0
    /// Packets that have reached the far end.
    var delivered: UInt64 = 0
    var bytesAccepted: UInt64 = 0
    private var delaySum: Double = 0
    /// Counts by delay: 256 equal steps per octave, so a quantile is right to 0.4 %.
    private let histogram: UnsafeMutablePointer<UInt32>

    private static let stepBits = 8
    private static let bucketCount = (65 - stepBits) << stepBits

    init() {
        histogram = .allocate(capacity: Self.bucketCount)
        histogram.initialize(repeating: 0, count: Self.bucketCount)
    }

    func free() { histogram.deallocate() }

    /// - Parameter delay: time before service, without the packet's own.
    @inline(__always) mutating func accept(bytes: UInt64, delay: Nanoseconds) {
        accepted &+= 1
        bytesAccepted &+= bytes
        delaySum += Double(delay)
        histogram[Self.bucket(of: UInt64(bitPattern: delay))] &+= 1
    }

    private static func bucket(of value: UInt64) -> Int {
        let small = UInt64(1) << stepBits
        if value < small { return Int(value) }
        let octave = 63 - value.leadingZeroBitCount - stepBits
        return (octave << stepBits) + Int(value >> UInt64(octave))
    }

    private static func lowerBound(of bucket: Int) -> Double {
        let small = 1 << stepBits
        if bucket < 2 * small { return Double(bucket) }
        let octave = (bucket >> stepBits) - 1
        return Double(bucket - (octave << stepBits)) * Double(UInt64(1) << UInt64(octave))
    }

    var delayMean: Double { accepted == 0 ? 0 : delaySum / Double(accepted) }

    /// The delay that a fraction `q` of the accepted packets did not exceed.
    func delayQuantile(_ q: Double) -> Double {
        let rank = UInt64((Double(accepted) * q).rounded(.up))
        var seen: UInt64 = 0
        for bucket in 0..<Self.bucketCount where histogram[bucket] > 0 {
            seen += UInt64(histogram[bucket])
            if seen >= rank { return Self.lowerBound(of: bucket) }
        }
        return 0
    }
}
