internal import CShim
internal import KernelABI
internal import OpsCore

/// The congestion controls that one world knows, by number: built-ins and instances of registrations.
///
/// Names and what they mean are kept apart: a flow has the number of a name, and a connection the attachment that the name
/// meant when it began. In a live world the meaning changes, and connections under way keep what they have.
final class ControlTable {
    struct Entry {
        fileprivate(set) var attachment: Attachment
        /// Keeps the instance's memory, and counts its flows.
        let ops: WorldInstance.Ops?

        /// Hex of the object file; nil for a built-in.
        var objectSHA256: String? { ops?.objectSHA256 }
    }
    private struct Name {
        /// The ops name, or `ControlSpec.key` with values.
        let name: String
        /// What a connection that begins now gets.
        var entry: UInt32
    }
    /// By `Attachment.number`; nil: given up, to be used again.
    private var entries: [Entry?] = []
    private var names: [Name] = []
    /// Of entries that are added later.
    var budget = ProgramBudget()
    /// While callbacks of timers run: what they take too much of is no flow's.
    var firesTimers = false
    /// Over their budgets: to be ejected when no op runs.
    private var excesses: [Excess] = []
    /// Told when there are some.
    var onExcess: () -> Void = {}
    /// In the order of their ejection.
    private(set) var ejected: [EjectedControl] = []
    /// Follows the registrations; nil: what the world found when it was made stays.
    var live: LiveControls?
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
            add(name: name, ops: builtins + index)
        }
    }

    deinit {
        for entry in entries { entry?.attachment.program?.deallocate() }
        builtins.deallocate()
    }

    /// Adds a built-in one, or native code; names are unique.
    func add(name: String, ops: UnsafePointer<tcp_congestion_ops>) {
        names.append(Name(name: name, entry: addEntry(ops, nil)))
    }

    /// Adds an instance of a registration; names are unique.
    func add(name: String, _ ops: WorldInstance.Ops) {
        names.append(Name(name: name, entry: addEntry(ops)))
    }

    private func addEntry(_ ops: WorldInstance.Ops, at now: Nanoseconds = 0) -> UInt32 {
        addEntry(ops.kdata.assumingMemoryBound(to: tcp_congestion_ops.self), ops, at: now)
    }

    private func addEntry(
        _ ops: UnsafePointer<tcp_congestion_ops>, _ instance: WorldInstance.Ops?, at now: Nanoseconds = 0
    ) -> UInt32 {
        let free = entries.firstIndex { $0 == nil }
        let number = UInt32(free ?? entries.count)
        let program = instance.map { instance in
            let program = UnsafeMutablePointer<ProgramAccount>.allocate(capacity: 1)
            program.initialize(
                to: ProgramAccount(
                    block: instance.block, number: number, costs: instance.costs, budget: budget, at: now))
            return program
        }
        let entry = Entry(
            attachment: Attachment(ops: watch?.stand(before: ops) ?? ops, program: program, number: number),
            ops: instance)
        if let free { entries[free] = entry } else { entries.append(entry) }
        if let instance { limitMemory(of: instance.instance) }
        return number
    }

    /// Of registrations, each once: those of one object share one.
    var instances: [Instance] {
        var all: [Instance] = []
        for entry in entries {
            guard let instance = entry?.ops?.instance, !all.contains(where: { $0 === instance }) else {
                continue
            }
            all.append(instance)
        }
        return all
    }

    /// Of the object behind an ops name, with whatever values in its variables.
    func objectSHA256(of name: String) -> String? {
        names.first { $0.name == name || $0.name.hasPrefix(name + "{") }.flatMap { self[$0.entry] }?
            .objectSHA256
    }

    /// The number of a name; nil: nothing was added under it.
    func number(of name: String) -> UInt32? { names.firstIndex { $0.name == name }.map(UInt32.init) }

    /// What a name means now.
    func find(_ name: String) -> Entry? {
        live?.follow(self)
        return names.first { $0.name == name }.flatMap { self[$0.entry] }
    }

    /// What a connection that begins now gets for the name with a number.
    func current(_ number: UInt32) -> Attachment {
        live?.follow(self)
        guard let entry = self[names[Int(number)].entry] else { preconditionFailure("a name without ops") }
        return entry.attachment
    }

    private subscript(number: UInt32) -> Entry? { entries[Int(number)] }

    /// From here on all ops are called through `watch`, those to come as well. Before the first connection.
    func watch(_ watch: OpWatch) {
        self.watch = watch
        for (index, entry) in entries.enumerated() {
            guard let entry else { continue }
            entries[index]?.attachment.ops = watch.stand(before: entry.attachment.ops)
        }
    }

    /// Where an ejected control's connections go, and those of flows whose ops are gone.
    var fallback: Attachment {
        guard let reno = self[0] else { preconditionFailure("a world without reno") }
        return reno.attachment
    }

    /// One more, or one less, socket uses it.
    func get(_ attachment: Attachment) { entries[Int(attachment.number)]?.ops?.get() }
    func put(_ attachment: Attachment) { entries[Int(attachment.number)]?.ops?.put() }

    /// A socket's connection is over: what programs stored with it goes, also with ops that it has switched away from
    /// (another socket will get the same address).
    func socketFreed(_ socket: TCPSock) {
        for entry in entries {
            entry?.ops?.instance.socketFreed(socket)
        }
    }
}

// What changes in a live world.

extension ControlTable {
    /// The ops that a name means now; nil for a built-in.
    func ops(of number: UInt32) -> WorldInstance.Ops? { self[names[Int(number)].entry]?.ops }

    /// From here on a name means these ops: connections that begin get them, those under way keep theirs.
    func replace(_ number: UInt32, by ops: WorldInstance.Ops, at now: Nanoseconds) {
        let known = entries.firstIndex { $0?.ops === ops }
        names[Int(number)].entry =
            known.map(UInt32.init) ?? addEntry(ops, at: now)
    }

    /// From here on a name means what a built-in one does, as for a new socket whose ops are gone.
    func replaceByFallback(_ number: UInt32) { names[Int(number)].entry = 0 }

    /// New connections of names that mean an entry get the fallback from here on.
    /// - Returns: the name.
    func dropNames(of number: UInt32) -> String {
        var dropped = ""
        for index in names.indices where names[index].entry == number {
            if dropped.isEmpty { dropped = names[index].name }
            names[index].entry = 0
        }
        return dropped
    }

    /// Takes out entries that no name means any more and no connection uses. Only between events.
    func takeUnused() -> [WorldInstance.Ops] {
        var unused: [WorldInstance.Ops] = []
        for (index, entry) in entries.enumerated() {
            guard let ops = entry?.ops, ops.flowCount == 0,
                !names.contains(where: { $0.entry == UInt32(index) })
            else { continue }
            unused.append(ops)
            if let program = entry?.attachment.program {
                excesses.removeAll { $0.program == program }
                program.deallocate()
            }
            entries[index] = nil
        }
        return unused
    }
}

// Budgets.

extension ControlTable {
    fileprivate struct Excess {
        var program: UnsafeMutablePointer<ProgramAccount>
        var excess: ProgramExcess
        var byTimer: Bool
    }

    /// A charge has come to this.
    func note(_ excess: ProgramExcess?, of program: UnsafeMutablePointer<ProgramAccount>) {
        guard let excess, !program.pointee.isEjected, !excesses.contains(where: { $0.program == program })
        else { return }
        excesses.append(Excess(program: program, excess: excess, byTimer: firesTimers))
        onExcess()
    }

    /// Whose timers an instance's are: of several entries with its data the first that is still called.
    func program(of instance: Instance) -> UnsafeMutablePointer<ProgramAccount>? {
        for entry in entries {
            guard let entry, entry.ops?.instance === instance, let program = entry.attachment.program,
                !program.pointee.isEjected
            else { continue }
            return program
        }
        return nil
    }

    /// Data that may not grow any more is an excess of who has it.
    fileprivate func limitMemory(of instance: Instance) {
        instance.onMemoryExcess = { [unowned self, unowned instance] wanted, limit in
            guard let program = program(of: instance) else { return }
            note(ProgramExcess(budget: .memory, limit: UInt64(limit), value: UInt64(wanted)), of: program)
        }
    }

    func takeExcesses(
        _ eject: (UnsafeMutablePointer<ProgramAccount>, ProgramExcess, _ byTimer: Bool) -> EjectedControl
    ) {
        guard !excesses.isEmpty else { return }
        let all = excesses
        excesses = []
        for one in all { ejected.append(eject(one.program, one.excess, one.byTimer)) }
    }

    func registrationOps(of number: UInt32) -> WorldInstance.Ops? { self[number]?.ops }
}
