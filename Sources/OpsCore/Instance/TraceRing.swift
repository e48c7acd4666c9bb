/// What `bpf_trace_printk` wrote: the last lines, with the time of the world at which they were written.
package struct TraceRing {
    package struct Line: Equatable, Sendable {
        package var ktimeNanoseconds: UInt64
        package var cpu: UInt32
        package var text: String

        package init(ktimeNanoseconds: UInt64, cpu: UInt32, text: String) {
            self.ktimeNanoseconds = ktimeNanoseconds
            self.cpu = cpu
            self.text = text
        }
    }

    package let capacity: Int
    private var lines: [Line] = []
    /// Index in `lines` of the oldest one, once the ring is full.
    private var oldest = 0
    /// Lines that were overwritten before anybody took them.
    package private(set) var dropped: UInt64 = 0

    /// - Parameter capacity: lines kept; less than 1 counts as 1.
    package init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    package var count: Int { lines.count }

    package mutating func append(_ line: Line) {
        guard lines.count == capacity else { return lines.append(line) }
        lines[oldest] = line
        oldest = (oldest + 1) % capacity
        dropped &+= 1
    }

    /// The lines kept, oldest first.
    package var snapshot: [Line] { Array(lines[oldest...] + lines[..<oldest]) }

    /// Returns the lines kept, oldest first, and empties the ring. `dropped` goes on counting.
    package mutating func takeAll() -> [Line] {
        let all = snapshot
        lines = []
        oldest = 0
        return all
    }
}
