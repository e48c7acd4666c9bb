internal import KernelABI
internal import OpsCore

/// Where a world's BTF objects lie: sockets and the samples handed to ops, in the arena that programs may look at.
///
/// Each socket is followed by the address of its flow, which native code (built-ins, kfuncs, helpers) finds there.
///
/// Invariant: everything allocated lives until the world ends.
struct SocketMemory {
    let arena: Arena
    private let sockets: Arena.PoolID
    private let rateSamples: Arena.PoolID
    private let ackSamples: Arena.PoolID

    static let flowOffset = (MemoryLayout<tcp_sock>.size + 7) & ~7

    /// - Parameter flowCount: two sockets each.
    init(flowCount: Int) throws(OpsError) {
        // Slabs are claimed whole, so leave room for one of each kind.
        arena = try Arena(byteCount: flowCount * 2 * (Self.flowOffset + 72) + (1 << 20))
        sockets = try arena.makePool("tcp_sock", byteCount: Self.flowOffset + 8)
        rateSamples = try arena.makePool("rate_sample", byteCount: MemoryLayout<rate_sample>.size)
        ackSamples = try arena.makePool("ack_sample", byteCount: MemoryLayout<ack_sample>.size)
    }

    func makeSocket(of flow: Flow) throws(OpsError) -> TCPSock {
        let cell = try arena.allocate(sockets)
        (cell + Self.flowOffset).storeBytes(of: flow, as: Flow.self)
        return cell.bindMemory(to: tcp_sock.self, capacity: 1)
    }

    func makeRateSample() throws(OpsError) -> UnsafeMutablePointer<rate_sample> {
        try arena.allocate(rateSamples).bindMemory(to: rate_sample.self, capacity: 1)
    }

    func makeAckSample() throws(OpsError) -> UnsafeMutablePointer<ack_sample> {
        try arena.allocate(ackSamples).bindMemory(to: ack_sample.self, capacity: 1)
    }
}

extension TCPSock {
    /// The flow that the socket belongs to.
    @inline(__always) var flow: Flow {
        // SAFETY: written by `makeSocket` behind every socket, and never again.
        (UnsafeMutableRawPointer(self) + SocketMemory.flowOffset).load(as: Flow.self)
    }
    /// What the kernel calls `tcp_jiffies32` and `HZ`.
    @inline(__always) var jiffies32: UInt32 { flow.engine.jiffies32 }
    @inline(__always) var hz: UInt32 { flow.engine.pointee.host.hz }
    @inline(__always) func jiffies(microseconds: UInt32) -> UInt32 {
        flow.engine.jiffies(microseconds: microseconds)
    }
}
