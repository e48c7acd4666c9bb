import JIT
import Synchronization

/// A one-element map whose value is `{refcnt, state, data}`, `data` being a struct of function pointers.
///
/// It keeps the value twice, as the kernel does: the user's copy with program ids where the pointers are, and the C
/// struct that the subsystem calls through, with entry addresses there.
///
/// One count of references keeps it: the open handles ("file descriptors"), its registration or links, the worlds that
/// use it, and whoever called `get`. Kernel counterpart: `struct bpf_struct_ops_map`.
public final class StructOpsMap: Sendable {
    public let id: UInt32
    /// C variable it came from.
    public let variable: String
    /// The same, cut to 15 bytes.
    public let name: String
    public let uid: UInt32
    /// Registered through links (`BPF_F_LINK`) rather than by setting its value.
    public let isLink: Bool
    let type: RegisteredType
    let owner: RegisteredSubsystem
    let core: RuntimeCore
    let references = ReferenceCount()
    /// How many of the references are handles; the rest are users.
    let handles = Atomic<Int>(1)
    private let stateBits = Atomic<UInt32>(StructOpsState.initial.rawValue)
    /// `{refcnt, state, data}` as the user set it.
    let uvalue: ValueBuffer
    /// The same as C sees it.
    let kvalue: ValueBuffer
    let content = Mutex(Content())
    /// Ids of the links that it is attached by: with many registrations nobody should search all links for them. Ids, for
    /// a link holds its map.
    let linkIDs = Mutex<[UInt32]>([])

    /// What the current value holds on to.
    struct Content: Sendable {
        var programs: [MemberProgram] = []
        var entries: EntryUnit?
        var chargedBytes = 0
    }

    /// A member that a program implements.
    struct MemberProgram: Sendable {
        var member: RegisteredMember
        var function: FunctionMember
        var program: LoadedProgram
    }

    init(
        id: UInt32, variable: String, uid: UInt32, isLink: Bool, type: RegisteredType, core: RuntimeCore,
        owner: RegisteredSubsystem
    ) {
        self.id = id
        self.variable = variable
        name = variable.cut(toBytes: 15)
        self.uid = uid
        self.isLink = isLink
        self.type = type
        self.owner = owner
        self.core = core
        uvalue = ValueBuffer(byteCount: type.value.byteCount)
        kvalue = ValueBuffer(byteCount: type.value.byteCount)
    }

    public var typeName: String { type.name }

    /// The kernel's copy of the struct: C function pointers, NULL where no program is set. Valid while a reference is
    /// held; never moves. Its `struct module *` member holds `OpsRuntime.ownerMarker`.
    public var kdata: UnsafeRawPointer { unsafe kvalue.address(at: type.value.dataOffset) }

    public var state: StructOpsState {
        StructOpsState(rawValue: stateBits.load(ordering: .acquiring)) ?? .initial
    }

    /// Publishes a state, in the C value too: what was written before is seen by whoever sees it.
    func publish(_ next: StructOpsState) {
        precondition(state.canMove(to: next), "struct_ops map \(id): \(state.name) → \(next.name)")
        kvalue.store(next.rawValue, at: type.value.stateOffset)
        stateBits.store(next.rawValue, ordering: .releasing)
    }

    /// Takes a reference unless the last one is gone; the caller of a false must fall back. The state does not matter.
    /// Kernel counterpart: `bpf_struct_ops_get`.
    public func get() -> Bool { references.get() }

    /// Drops a reference; the last one frees the map after quiescence, so an op may drop its own.
    public func put() {
        guard references.put() else { return }
        core.withTables { $0.structOps[id] = nil }
        core.quiescence.retire { self.free() }
    }

    /// Nobody can be inside its entries any more.
    private func free() {
        release(
            content.withLock { content in
                defer { content = Content() }
                return content
            })
        core.memory.refund(Self.bytesCharged(for: type), to: uid)
    }

    /// Gives back what a value held on to: entries first, then the programs behind them.
    func release(_ content: Content) {
        core.memory.refund(content.chargedBytes, to: uid)
        for program in content.programs { program.program.object.put() }
    }

    /// Of an empty map: both copies of the value.
    static func bytesCharged(for type: RegisteredType) -> Int { 2 * type.value.byteCount }

    /// References beyond the handles, flows of live worlds included: an estimate of how many use it.
    /// Kernel counterpart: the `refcnt` that a lookup computes.
    public var users: Int {
        let flows = core.withTables { $0.worldOps[id, default: []].reduce(0) { $0 + $1.flowCount } }
        return max(references.value - handles.load(ordering: .relaxed), 0) + flows
    }

    /// The string in the type's name member; nil for types without one.
    public var opsName: String? {
        guard let member = type.nameMember else { return nil }
        return String(decoding: dataBytes(of: member).prefix { $0 != 0 }, as: UTF8.self)
    }

    /// The target object's id; nil for types that do not attach by target.
    public var targetID: UInt64? {
        guard let member = type.targetMember else { return nil }
        return dataBytes(of: member).prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }

    private func dataBytes(of member: RegisteredMember) -> [UInt8] {
        let start = type.value.dataOffset + member.byteOffset
        return kvalue.bytes(start..<start + member.byteCount)
    }

    /// Names of the members that are set, with their program ids. Kernel counterpart: `bpf_struct_ops_for_each_prog`.
    public var programs: [(member: String, programID: UInt32)] {
        content.withLock { content in content.programs.map { ($0.member.name, $0.program.id) } }
    }

    func error(_ code: String, _ errno: CInt, _ text: String, member: String? = nil, reason: String? = nil)
        -> OpsError
    {
        let subject = member.map { "\(typeName).\($0)" } ?? typeName
        return OpsError(
            code, errno: errno, "struct_ops map '\(name)': \(subject): \(text)",
            at: OpsError.Location(map: name, member: member), reason: reason)
    }
}
