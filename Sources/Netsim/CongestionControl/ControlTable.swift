internal import CShim
internal import KernelABI
internal import OpsCore

/// The congestion controls that one world knows, by number: built-ins and instances of registrations.
final class ControlTable {
    struct Entry {
        /// The ops name, or `ControlSpec.key` with values.
        let name: String
        fileprivate(set) var attachment: Attachment
        /// Hex of the object file; nil for a built-in.
        let objectSHA256: String?
        /// Keeps the instance's memory, and counts its flows.
        let ops: WorldInstance.Ops?
    }
    private(set) var entries: [Entry] = []
    private let builtins: UnsafeMutablePointer<tcp_congestion_ops>
    /// Stands before the ops of a watched world.
    private var watch: OpWatch?

    static let builtinNames = ["reno", "cubic", "bbr", "dctcp"]

    init() {
        builtins = .allocate(capacity: Self.builtinNames.count)
        for (index, ops) in [Reno.makeOps(), Cubic.makeOps(), BBR.makeOps(), DCTCP.makeOps()].enumerated() {
            (builtins + index).initialize(to: ops)
        }
        for (index, name) in Self.builtinNames.enumerated() {
            let attachment = Attachment(ops: builtins + index, block: nil, number: UInt32(index))
            entries.append(Entry(name: name, attachment: attachment, objectSHA256: nil, ops: nil))
        }
    }

    deinit { builtins.deallocate() }

    /// Adds one more; names are unique.
    func add(
        name: String, ops: UnsafePointer<tcp_congestion_ops>, block: UnsafeMutablePointer<ops_block>?,
        objectSHA256: String?, instance: WorldInstance.Ops?
    ) {
        let attachment = Attachment(
            ops: watch?.stand(before: ops) ?? ops, block: block, number: UInt32(entries.count))
        entries.append(
            Entry(name: name, attachment: attachment, objectSHA256: objectSHA256, ops: instance))
    }

    /// Of registrations, each once: those of one object share one.
    var instances: [Instance] {
        var all: [Instance] = []
        for entry in entries {
            guard let instance = entry.ops?.instance, !all.contains(where: { $0 === instance }) else {
                continue
            }
            all.append(instance)
        }
        return all
    }

    /// Of the object behind an ops name, with whatever values in its variables.
    func objectSHA256(of name: String) -> String? {
        entries.first { $0.name == name || $0.name.hasPrefix(name + "{") }?.objectSHA256
    }

    func find(_ name: String) -> Entry? { entries.first { $0.name == name } }

    /// From here on all ops are called through `watch`, those to come as well. Before the first connection.
    func watch(_ watch: OpWatch) {
        self.watch = watch
        for index in entries.indices {
            entries[index].attachment.ops = watch.stand(before: entries[index].attachment.ops)
        }
    }

    /// One more, or one less, socket uses it.
    func get(_ attachment: Attachment) { entries[Int(attachment.number)].ops?.get() }
    func put(_ attachment: Attachment) { entries[Int(attachment.number)].ops?.put() }

    /// A socket's connection is over: what programs stored with it goes, also with ops that it has switched away from
    /// (another socket will get the same address).
    func socketFreed(_ socket: TCPSock) {
        for entry in entries {
            guard let block = entry.attachment.block, let instance = Instance.of(block) else { continue }
            instance.socketFreed(socket)
        }
    }
}
