/// Where a struct_ops map stands. Kernel counterpart: `enum bpf_struct_ops_state`, same order and raw values.
///
/// ```
///            update (no LINK)                delete
///   INIT ─────────────────────▶ INUSE ─────────────────▶ TOBEFREE ──(last ref)──▶ freed
///     │  update (LINK)
///     └─────────▶ READY ◀──── links come and go above it ────▶ freed on last ref
/// ```
public enum StructOpsState: UInt32, CaseIterable, Sendable {
    case initial = 0
    case inUse
    case toBeFree
    case ready

    /// As bpftool and `opsctl show` print it.
    public var name: String {
        switch self {
        case .initial: "INIT"
        case .inUse: "INUSE"
        case .toBeFree: "TOBEFREE"
        case .ready: "READY"
        }
    }

    public func canMove(to next: StructOpsState) -> Bool {
        switch (self, next) {
        case (.initial, .inUse), (.initial, .ready), (.inUse, .toBeFree): true
        default: false
        }
    }
}
