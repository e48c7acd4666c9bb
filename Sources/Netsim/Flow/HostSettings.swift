/// Settings of the two hosts; the defaults are those of the reference measurements (Linux, no GRO).
package struct HostSettings: Equatable, Sendable {
    /// Jiffies per second.
    package var hz: UInt32 = 250
    package var initialWindow: UInt32 = 10
    /// Largest burst that leaves TCP as one packet; false: every segment on its own.
    package var tso = true
    /// Receiver: ACK every second segment and on a timer; false: ACK every segment.
    package var delayedACK = true
    package var sackCompression = true
    /// Nanoseconds from a packet's arrival at a host until its stack has processed it and answered. It adds to every
    /// RTT, once per host; the reference's hosts took 40 to 110 us.
    package var latency: Int64 = 40 * .microsecond
    /// Up to so many nanoseconds more per round trip, at random: without it, flows that share a link fall into step.
    package var jitter: Int64 = 60 * .microsecond
    /// Nanoseconds.
    package var minRTO: Int64 = 200 * .millisecond
    /// The timestamp option (RFC 7323): 12 bytes in every segment, and no RTT from retransmitted data without it.
    package var timestamps = true
    /// Receive offload: segments of a flow that arrive right behind each other are taken in as one.
    package var gro = false
    /// CPUs that programs see; a flow runs on the one its hash picks.
    package var cpus: UInt32 = 1
    /// Largest send and receive buffer, bytes (`tcp_wmem[2]`, `tcp_rmem[2]`).
    package var sndbuf: Int32 = 4_194_304
    package var rcvbuf: Int32 = 33_554_432

    package init() {}

    var wire: Wire { Wire(timestamps: timestamps) }
}

/// Values of the kernel's sysctls and constants that nothing in a scenario changes.
enum Kernel {
    static let sndbufInitial: Int32 = 16_384
    static let rcvbufInitial: Int32 = 131_072
    static let minTSOSegments: UInt32 = 2
    static let gsoMaxSize: UInt32 = 65_215
    /// RFC 1122's MSS for a peer that names none.
    static let defaultMSS: UInt32 = 536
    static let gsoMaxSegments: UInt32 = 65_535
    static let tsoRTTLog: UInt32 = 9
    static let tsoWindowDivisor: UInt32 = 3
    static let pacingShift: UInt8 = 10
    static let pacingSlowStartRatio: UInt64 = 200
    static let pacingAvoidanceRatio: UInt64 = 120
    static let reordering: UInt32 = 3
    static let maxReordering: UInt32 = 300
    static let infiniteSsthresh: UInt32 = 0x7fff_ffff
    /// Rate that means "not limited".
    static let unlimitedRate: UInt64 = .max
    static let minRTTWindowSeconds: UInt32 = 300
    static let timeoutMinMicroseconds: UInt32 = 2_000
    static let rtoMaxSeconds: UInt32 = 120
    static let initialRTOSeconds: UInt32 = 1
    static let synRetriesMax: UInt8 = 6
    /// Nanoseconds between segments that receive offload still takes for one train.
    static let groGap: Int64 = 20 * .microsecond
    static let groBytesMax = 65_535
    static let retries2: UInt8 = 15
    static let delackMinMilliseconds: UInt32 = 40
    static let delackMaxMilliseconds: UInt32 = 200
    static let quickACKsMax: UInt32 = 16
    static let compressedSACKsMax: UInt8 = 44
    static let compressedSACKDelay: UInt64 = 1_000_000
    /// Bytes of kernel memory that hold one received full-sized packet.
    static let receivedTruesize: UInt32 = 2_304
    /// What the send buffer's sizing takes per segment: 2048 for data and headers, 256 for the descriptor.
    static let sendPerSegment: UInt32 = 2_304
    /// What one packet in the send buffer takes beside its payload.
    static let sendOverhead: Int32 = 832
    /// Bytes that the application writes at once.
    static let writeBytes: UInt32 = 65_536
}
