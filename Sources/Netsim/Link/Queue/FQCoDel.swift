/// Flow queueing with CoDel: packets of each flow wait in a queue of their own, served by deficit round robin, each under
/// CoDel's law; flows that have just begun come first.
///
/// Source: RFC 8290, section 4. Flows are told apart by a hash, so that two may share a queue, as there.
package struct FQCoDel {
    package struct Parameters: Equatable, Sendable {
        package var codel = CoDel.Parameters()
        /// Bytes that a queue may send per turn.
        package var quantum: Int64 = 1514
        package var queues: UInt32 = 1024
    }

    private struct SubQueue {
        var packets = PacketQueue()
        var codel: CoDel
        var deficit: Int64 = 0
        var isListed = false
    }

    let parameters: Parameters
    private var queues: [SubQueue]
    private var newList = IndexList()
    private var oldList = IndexList()
    private let perturbation: UInt64
    private(set) var bytes: UInt64 = 0
    private(set) var count = 0

    init(_ parameters: Parameters, seed: UInt64) {
        self.parameters = parameters
        perturbation = seed
        let queue = SubQueue(codel: CoDel(parameters.codel))
        queues = Array(repeating: queue, count: Int(max(parameters.queues, 1)))
    }

    /// Which queue a packet goes to: data and ACKs of one connection are different flows.
    func queueIndex(of packet: Packet) -> Int {
        let key = UInt64(packet.flow) << 1 | (packet.length > 0 ? 1 : 0)
        var generator = SplitMix64(seed: perturbation ^ key)
        return Int(generator.next().multipliedFullWidth(by: UInt64(queues.count)).high)
    }

    /// Section 4.1. A queue without packets goes to the end of the new ones with a full quantum.
    ///
    /// - Parameter limit: bytes of all queues; beyond it the head of the longest is dropped.
    mutating func append(_ packet: Packet, limit: UInt64, discard: (Packet) -> Void) {
        let index = queueIndex(of: packet)
        queues[index].packets.append(packet)
        bytes &+= UInt64(packet.wireLength)
        count += 1
        if !queues[index].isListed {
            queues[index].isListed = true
            queues[index].deficit = parameters.quantum
            newList.append(index)
        }
        while bytes > limit, let dropped = dropFromLongest() { discard(dropped) }
    }

    private mutating func dropFromLongest() -> Packet? {
        var longest = 0
        for index in queues.indices where queues[index].packets.bytes > queues[longest].packets.bytes {
            longest = index
        }
        guard let packet = queues[longest].packets.removeFirst() else { return nil }
        account(for: packet)
        return packet
    }

    private mutating func account(for packet: Packet) {
        bytes &-= UInt64(packet.wireLength)
        count -= 1
    }

    /// Section 4.2.
    mutating func next(at now: Nanoseconds, marked: inout UInt64, discard: (Packet) -> Void) -> Packet? {
        while true {
            let isNew = !newList.isEmpty
            guard let index = isNew ? newList.first : oldList.first else { return nil }
            if queues[index].deficit <= 0 {
                queues[index].deficit += parameters.quantum
                removeFirst(isNew)
                oldList.append(index)
                continue
            }
            let (bytesBefore, countBefore) = (queues[index].packets.bytes, queues[index].packets.count)
            // A copy, as the queue beside it is changed at the same time.
            var codel = queues[index].codel
            let packet = codel.next(
                at: now, from: &queues[index].packets, marked: &marked, discard: discard)
            queues[index].codel = codel
            bytes &-= bytesBefore &- queues[index].packets.bytes
            count -= countBefore - queues[index].packets.count
            if let packet {
                queues[index].deficit -= Int64(packet.wireLength)
                return packet
            }
            removeFirst(isNew)
            // A queue that empties while new goes through the old ones first, else it could starve them.
            if isNew { oldList.append(index) } else { queues[index].isListed = false }
        }
    }

    private mutating func removeFirst(_ isNew: Bool) {
        if isNew { newList.removeFirst() } else { oldList.removeFirst() }
    }
}

/// Numbers in order, appended at the end and taken from the front.
private struct IndexList {
    private var items: [Int] = []
    private var head = 0

    var first: Int? { head < items.count ? items[head] : nil }
    var isEmpty: Bool { head == items.count }

    mutating func append(_ index: Int) { items.append(index) }

    mutating func removeFirst() {
        head += 1
        if head >= 64, head * 2 >= items.count {
            items.removeFirst(head)
            head = 0
        }
    }
}
