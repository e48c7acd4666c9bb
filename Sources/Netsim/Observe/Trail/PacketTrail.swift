internal import KernelABI
internal import OpsCore

/// The packets of a run, to find where another run parts from it. Runs can be repeated, so nothing is kept of most packets
/// but a hash per block of them; the block in which the hashes part is then recorded in a second run.
///
/// Written by the world's thread alone, while the run goes; read by others when it is over.
package final class PacketTrail: @unchecked Sendable {  // See above.
    package enum Purpose: Sendable {
        /// Hashes of all blocks.
        case hash
        /// The same, up to the first that differs from these.
        case compare([UInt64])
        /// The packets of one block.
        case record(block: Int)
    }
    /// Packets of a block.
    package static let blockPackets = 4096

    private let purpose: Purpose
    /// Packets so far.
    package private(set) var count = 0
    /// One hash per block; the last block may be shorter.
    package private(set) var hashes: [UInt64] = []
    /// The block's packets, of `record`.
    package private(set) var entries: [TrailEntry] = []
    /// Nothing more of the run is needed.
    package private(set) var isDone = false
    private var hash: UInt64 = 0
    private var names: [String] = []
    /// First sequence numbers of senders.
    private var isns: [UInt32] = []

    package init(_ purpose: Purpose) { self.purpose = purpose }

    func start(_ world: World) {
        names = world.flowNames
        isns = Array(repeating: 0, count: world.flowCount)
    }

    private func add(_ packet: TrailPacket, _ engine: Engine) {
        guard !isDone else { return }
        if case .record(let block) = purpose {
            if count / Self.blockPackets == block { record(packet, engine) }
            count += 1
            isDone = count / Self.blockPackets > block
            return
        }
        for word in packet.words {
            var mixer = SplitMix64(seed: hash ^ word)
            hash = mixer.next()
        }
        count += 1
        if count % Self.blockPackets == 0 { endBlock() }
    }

    private func record(_ packet: TrailPacket, _ engine: Engine) {
        let isFlow = Int(packet.flow) < names.count
        entries.append(
            TrailEntry(
                packet: packet, flowName: isFlow ? names[Int(packet.flow)] : "cross traffic",
                sender: isFlow ? .init((engine.pointee.flows + Int(packet.flow)).tp) : nil))
    }

    private func endBlock() {
        hashes.append(hash)
        hash = 0
        guard case .compare(let others) = purpose else { return }
        let last = hashes.count - 1
        isDone = last >= others.count || hashes[last] != others[last]
    }
}

extension PacketTrail: WorldObserver {
    func observe(_ event: Observation, flow: UInt32, in engine: Engine) {
        let index = Int(flow)
        switch event {
        case .opened: isns[index] = (engine.pointee.flows + index).tp.pointee.snd_una
        case .sent(let packet):
            let isn = index < isns.count ? isns[index] : 0
            add(TrailPacket(packet, isn: isn, at: engine.pointee.now), engine)
        case .ackSent(let ack): add(TrailPacket(ack, isn: isns[index], at: engine.pointee.now), engine)
        default: break
        }
    }
}

extension PacketTrail: OutputWriter {
    var failure: OpsError? { nil }

    func finish() {
        if case .record = purpose { return }
        if !isDone, count % Self.blockPackets != 0 { endBlock() }
    }
}
