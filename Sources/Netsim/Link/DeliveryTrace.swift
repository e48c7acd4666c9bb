/// A link that sends when a recorded one could: at each opportunity up to 1500 bytes of what waits, for ever from the start
/// when the trace is over. What an opportunity does not use is lost.
///
/// Source: Mahimahi's `mm-link` (Netravali et al., "Mahimahi: Accurate Record-and-Replay for HTTP", 2015): a line per
/// opportunity, in milliseconds; the last line's time is the trace's period.
struct DeliveryTrace {
    /// Ascending; the last one above 0.
    private let times: [Nanoseconds]
    /// Number of the opportunity that packets use now, counted through all rounds, and what is left of it.
    private var position: UInt64 = 0
    private var left = Self.opportunityBytes

    static let opportunityBytes: UInt64 = 1500

    /// - Parameter milliseconds: ascending, at least one, the last one above 0.
    init(milliseconds: [UInt32]) { times = milliseconds.map { Nanoseconds($0) * .millisecond } }

    private var period: Nanoseconds { times[times.count - 1] }

    private func time(of position: UInt64) -> Nanoseconds {
        let (round, index) = position.quotientAndRemainder(dividingBy: UInt64(times.count))
        return Nanoseconds(round) &* period &+ times[Int(index)]
    }

    /// Number of opportunities before `time`.
    private func opportunities(before time: Nanoseconds) -> UInt64 {
        guard time > 0 else { return 0 }
        // One at the very end of a round belongs to it, not to the next.
        let round = (time - 1) / period
        let inside = time - round * period
        var (low, high) = (0, times.count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < inside { low = middle + 1 } else { high = middle }
        }
        return UInt64(round) &* UInt64(times.count) &+ UInt64(low)
    }

    /// When the last byte of a packet leaves that is first in the queue at `start`.
    mutating func end(of length: UInt16, from start: Nanoseconds) -> Nanoseconds {
        if time(of: position) < start {
            position = opportunities(before: start)
            left = Self.opportunityBytes
        }
        var rest = UInt64(length)
        while rest > left {
            rest -= left
            position &+= 1
            left = Self.opportunityBytes
        }
        left -= rest
        let end = time(of: position)
        if left == 0 {
            position &+= 1
            left = Self.opportunityBytes
        }
        return end
    }

    func capacityBits(from: Nanoseconds, to: Nanoseconds) -> Double {
        let count = opportunities(before: to) &- opportunities(before: from)
        return Double(count) * Double(Self.opportunityBytes * 8)
    }

    /// Reads a trace file.
    /// - Returns: fails with the number of the line that is not a time, or is before the one above.
    static func parse(_ text: String, lineLimit: Int) -> Result<[UInt32], TraceError> {
        var times: [UInt32] = []
        for (index, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            let digits = line.filter { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: " ") }
            if digits.isEmpty { continue }
            guard let value = UInt32(String(decoding: digits, as: UTF8.self)), value >= times.last ?? 0,
                value <= 86_400_000, times.count < lineLimit
            else { return .failure(TraceError(line: index + 1)) }
            times.append(value)
        }
        guard let last = times.last, last > 0 else { return .failure(TraceError(line: 1)) }
        return .success(times)
    }

    /// The line that is no opportunity.
    struct TraceError: Error, Equatable { var line: Int }
}
