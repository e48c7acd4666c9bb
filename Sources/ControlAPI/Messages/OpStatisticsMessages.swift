/// Whether calls of ops are counted: not at all, all counted and some timed, or all counted and timed.
package enum OpStatisticsMode: String, Codable, CaseIterable, Sendable {
    case off, sampled, on
}

/// What one op of one congestion control has cost so far.
package struct OpRecord: Codable, Equatable, Sendable {
    package var opsName: String
    /// The member, such as `cong_avoid`.
    package var op: String
    /// The program behind it now; nil: it is built in, or not registered any more.
    package var progID: UInt32?
    package var runCnt: UInt64
    /// Turns that loops took which may end at any turn.
    package var fuel: UInt64
    /// Calls that were timed, and their time together.
    package var timedCnt: UInt64
    package var timedNs: UInt64
    /// Timed calls by duration: the i-th took less than 2^i ns; the last, all beyond.
    package var log2Ns: [UInt64]

    package init(
        opsName: String, op: String, progID: UInt32?, runCnt: UInt64, fuel: UInt64, timedCnt: UInt64,
        timedNs: UInt64, log2Ns: [UInt64]
    ) {
        self.opsName = opsName
        self.op = op
        self.progID = progID
        self.runCnt = runCnt
        self.fuel = fuel
        self.timedCnt = timedCnt
        self.timedNs = timedNs
        self.log2Ns = log2Ns
    }

    /// Nanoseconds a call; nil: none was timed.
    package var meanNs: Double? { timedCnt == 0 ? nil : Double(timedNs) / Double(timedCnt) }

    /// The bound below which this part of the timed calls lies, to a factor of two; nil: none was timed.
    package func quantileNs(_ part: Double) -> UInt64? {
        guard timedCnt > 0 else { return nil }
        var left = part * Double(timedCnt)
        for (index, count) in log2Ns.enumerated() {
            left -= Double(count)
            if left <= 0 { return 1 << UInt64(min(index, 62)) }
        }
        return nil
    }

    /// What came after `earlier`. Counters that went back belong to another runtime: all of it is new then.
    package func since(_ earlier: OpRecord?) -> OpRecord {
        guard let earlier, earlier.runCnt <= runCnt, earlier.log2Ns.count == log2Ns.count,
            zip(log2Ns, earlier.log2Ns).allSatisfy({ $0 >= $1 }), earlier.timedNs <= timedNs,
            earlier.fuel <= fuel, earlier.timedCnt <= timedCnt
        else { return self }
        return OpRecord(
            opsName: opsName, op: op, progID: progID, runCnt: runCnt - earlier.runCnt,
            fuel: fuel - earlier.fuel, timedCnt: timedCnt - earlier.timedCnt,
            timedNs: timedNs - earlier.timedNs,
            log2Ns: zip(log2Ns, earlier.log2Ns).map { $0 - $1 })
    }
}

/// One line that a program printed with `bpf_trace_printk`.
package struct TraceLine: Codable, Equatable, Sendable {
    /// Simulated time, on the programs' clock.
    package var timeNs: UInt64
    package var cpu: UInt32
    package var text: String
    /// Lines before this one that came faster than they were read.
    package var dropped: UInt64

    package init(timeNs: UInt64, cpu: UInt32, text: String, dropped: UInt64) {
        self.timeNs = timeNs
        self.cpu = cpu
        self.text = text
        self.dropped = dropped
    }
}

package struct TraceReply: Codable, Sendable {
    package var line: TraceLine
    package init(line: TraceLine) { self.line = line }
}

package struct OpStatisticsReply: Codable, Sendable {
    package var mode: OpStatisticsMode
    package var ops: [OpRecord]

    package init(mode: OpStatisticsMode, ops: [OpRecord]) {
        self.mode = mode
        self.ops = ops
    }
}
