internal import KernelABI

/// The flat state of one world: everything the event loop touches, behind one pointer, with no reference counting.
///
/// Invariant: made and freed by `World`; every pointer in it lives exactly as long. Used by one thread.
struct EngineState {
    private(set) var now: Nanoseconds = 0
    /// `jiffies64` at `now`, and when it changes next: read many times per packet.
    private(set) var jiffies: UInt64 = 0
    private(set) var nextJiffy: Nanoseconds = 0
    /// Length of a jiffy, where it is a whole number of nanoseconds; else 0.
    private(set) var jiffyNanoseconds: Nanoseconds = 0
    /// Programs' clock at simulated time 0: 0 means "unset" to real algorithms, so a world starts later.
    let bootNanoseconds: UInt64
    let host: HostSettings
    /// Whether a packet that has crossed a link, or an ACK, may do more than go on: detours, receive offload, observers.
    var usesModels: Bool
    /// Timers and applications.
    var queue: EventQueue
    /// Heads of links and delay lines: few, and moved for every packet.
    var traffic: EventQueue

    let links: UnsafeMutablePointer<Link>
    let linkCount: Int
    let lines: UnsafeMutablePointer<DelayLine>
    let lineCount: Int
    let flows: UnsafeMutablePointer<FlowState>
    let flowCount: Int

    /// What `cong_control` and `pkts_acked` get; in the arena, like the sockets.
    let rateSample: UnsafeMutablePointer<rate_sample>
    let ackSample: UnsafeMutablePointer<ack_sample>
    /// Set by a program through a helper or kfunc; looked at when its op has returned.
    var effects: PendingEffects
    /// Congestion controls by number, for TCP_CONGESTION.
    unowned(unsafe) let controls: ControlTable

    /// Segments in all retransmission queues, and the most there may be: bounds memory whatever programs write.
    var segmentCount = 0
    var segmentsMax = 1 << 21

    /// The timers of programs; kept alive by the world.
    var programTimers: Unmanaged<ProgramTimers>?
    /// Traffic that arrives by itself, if there is any; kept alive by the world.
    var sources: Unmanaged<TrafficSources>?
    /// ACKs on links, if they cross any; kept alive by the world.
    var returnTraffic: Unmanaged<ReturnTraffic>?
    /// The time series, if there is one; kept alive by the world.
    var recorder: Unmanaged<Recorder>?
    /// Those who watch, if anybody does; kept alive by the world.
    var observers: Unmanaged<Observers>?
    var opWatch: Unmanaged<OpWatch>?

    var eventCount: UInt64 = 0
    /// Data packets that reached a receiver.
    var packetCount: UInt64 = 0
    /// The pacing clock before the burst that is being sent.
    var priorStamp: UInt64 = 0
    /// Initial sequence numbers.
    var random: SplitMix64
    /// Where BBR's cycle of gains begins.
    var cycleRandom: SplitMix64
    /// How long hosts take for a packet.
    var jitterRandom: SplitMix64

    /// Time goes on, or stays.
    @inline(__always) mutating func advance(to time: Nanoseconds) {
        now = time
        if time >= nextJiffy { countJiffies() }
    }

    @inline(never) private mutating func countJiffies() {
        let hz = UInt64(host.hz)
        // Kernel: `INITIAL_JIFFIES` makes the 32-bit counter wrap five minutes after boot.
        let ticks = (bootNanoseconds &+ UInt64(bitPattern: now)) &* hz / 1_000_000_000
        jiffies = UInt64(UInt32(bitPattern: -300 &* Int32(bitPattern: host.hz))) &+ ticks
        let next = ((ticks &+ 1) &* 1_000_000_000 &+ hz &- 1) / hz
        nextJiffy = Nanoseconds(bitPattern: next &- bootNanoseconds)
        jiffyNanoseconds = 1_000_000_000 % hz == 0 ? Nanoseconds(1_000_000_000 / hz) : 0
    }
}

typealias Engine = UnsafeMutablePointer<EngineState>

extension Engine {
    // MARK: Clocks, all from one counter.

    @inline(__always) var ktime: UInt64 { pointee.bootNanoseconds &+ UInt64(bitPattern: pointee.now) }
    @inline(__always) var jiffies64: UInt64 { pointee.jiffies }
    @inline(__always) var jiffies32: UInt32 { UInt32(truncatingIfNeeded: jiffies64) }
    @inline(__always) var millisecondsStamp: UInt32 { UInt32(truncatingIfNeeded: ktime / 1_000_000) }
    /// What the timestamp option carries now; 0: there is none.
    @inline(__always) var timestamp: UInt32 { pointee.host.timestamps ? millisecondsStamp : 0 }
    @inline(__always) var jiffyMicroseconds: UInt32 { 1_000_000 / pointee.host.hz }

    /// Kernel: `usecs_to_jiffies`, rounded up.
    @inline(__always) func jiffies(microseconds: UInt32) -> UInt32 {
        let product = UInt64(microseconds) &* UInt64(pointee.host.hz)
        return UInt32(truncatingIfNeeded: (product &+ 999_999) / 1_000_000)
    }
    @inline(__always) func microseconds(jiffies: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: UInt64(jiffies) &* 1_000_000 / UInt64(pointee.host.hz))
    }

    /// Simulated time at which a timer that is set now for jiffy `expires` fires.
    ///
    /// The kernel's timer wheel never fires early: it rounds up to its level's step, which grows eightfold from level to
    /// level (one jiffy up to 63 jiffies ahead, then eight, …).
    func wheelTime(of expires: UInt64) -> Nanoseconds {
        let delta = Int64(bitPattern: expires &- jiffies64)
        var level: UInt64 = 0
        var reach: Int64 = 63
        while delta >= reach, level < 8 {
            level += 1
            reach <<= 3
        }
        let shift = 3 * level
        let rounded = ((expires >> shift) &+ 1) << shift
        return time(ofJiffy: rounded)
    }

    private func time(ofJiffy jiffy: UInt64) -> Nanoseconds {
        let length = pointee.jiffyNanoseconds
        let ahead = Int64(bitPattern: jiffy &- pointee.jiffies)
        if length != 0, ahead > 0, ahead < 1 << 32 { return pointee.nextJiffy &+ (ahead &- 1) &* length }
        let hz = UInt64(pointee.host.hz)
        let since = jiffy &- UInt64(UInt32(bitPattern: -300 &* Int32(hz)))
        let (product, overflow) = since.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return .never - 1 }
        let ktime = (product &+ hz &- 1) / hz
        return max(Nanoseconds(bitPattern: ktime &- pointee.bootNanoseconds), pointee.now)
    }

    // MARK: Traffic

    /// Puts a packet on the first link of its flow's path, or on the next one.
    @inline(__always) func transmit(_ packet: Packet) {
        offer(packet, to: pointee.flows[Int(packet.flow)].path[Int(packet.hop)])
    }

    @inline(__always) func offer(_ packet: Packet, to link: UInt32) {
        if pointee.links[Int(link)].accept(packet, at: pointee.now) {
            if let models = pointee.links[Int(link)].models, models.pointee.isHeld {
                runTransmitter(link)
            } else {
                pointee.traffic.push(at: pointee.links[Int(link)].nextDelivery, .link, link)
            }
        }
    }

    /// Sends an ACK on its way back.
    @inline(__always) func transmit(_ ack: Acknowledgement, line: UInt32) {
        if pointee.usesModels { tell(.ackSent(ack), flow: ack.head.flow) }
        let isFirst = pointee.lines[Int(line)].isEmpty
        var ack = ack
        var due = pointee.now &+ pointee.lines[Int(line)].delay
        if pointee.host.jitter > 0 {
            let draw = pointee.jitterRandom.next().multipliedFullWidth(by: UInt64(pointee.host.jitter)).high
            due &+= Nanoseconds(draw)
        }
        due = max(due, pointee.lines[Int(line)].lastDue)
        pointee.lines[Int(line)].lastDue = due
        ack.head.due = due
        pointee.lines[Int(line)].append(ack)
        if isFirst { pointee.traffic.push(at: due, .delayLine, line) }
    }
}
