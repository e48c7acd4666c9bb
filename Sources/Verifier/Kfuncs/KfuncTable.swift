package import BPF

/// What BTF does not tell of a kfunc: its flags, and what it does that a prototype cannot say.
///
/// The table is written by hand from the kernel's documentation (docs.kernel.org/bpf/kfuncs.html, docs.ebpf.io), one
/// file for each family, and describes Linux 6.12 to 6.18. Whether a kfunc sleeps and whether it refuses NULL
/// (TRUSTED_ARGS or RCU) was measured on 6.18 for those that the kernel at hand had. Who may call it: `KfuncAvailability`.
package struct KfuncRule: Sendable {
    package var name: String
    package var flags: KfuncPrototype.Flags
    var effect: KfuncEffect?

    init(_ name: String, _ flags: KfuncPrototype.Flags = [], _ effect: KfuncEffect? = nil) {
        self.name = name
        self.flags = flags
        self.effect = effect
    }

    /// What is known of the kfunc of this name; nil: nothing beyond its prototype.
    package static func rule(for name: String) -> KfuncRule? { byName[name] }

    private static let byName: [String: KfuncRule] = {
        let all =
            regions + objects + graphs + dynptrs + iterators + casts + tasks + cpumasks + network + files
        return Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }()

    /// Every kfunc that a kernel's BTF marks as one (`bpf_kfunc`), with what the table knows of it.
    ///
    /// - Parameter btf: number of `types` in `BTFRef`s.
    package static func prototypes(in types: BTF, btf: UInt32) -> [String: KfuncPrototype] {
        var found: [String: KfuncPrototype] = [:]
        for id in types.ids(named: "bpf_kfunc") {
            guard case .declTag(_, let function, -1) = types[id], case .function(let type) = types[function]
            else { continue }
            found[type.name] = KfuncPrototype(
                name: type.name, function: BTFRef(btf: btf, id: function),
                flags: rule(for: type.name)?.flags ?? [])
        }
        return found
    }
}

/// What a kfunc does beyond taking its arguments and giving its result.
enum KfuncEffect: Sendable {
    case rcuLock, rcuUnlock, preemptDisable, preemptEnable
    case irqSave, irqRestore, resilientLock(savesIRQ: Bool), resilientUnlock(restoresIRQ: Bool)
    case newObject(isPercpu: Bool), dropObject, acquireCount
    case listPush, listPop, listPeek, treeAdd, treeRemove, treePeek
    case makeDynptr(DynptrKind), cloneDynptr, slice(isWritable: Bool)
    case readOnlyCast, kernelContext
    case initialiseWork, setWorkCallback, scheduleTaskWork
    /// Packet data may lie elsewhere afterwards.
    case changePacket
    case throwException

    /// May be called while a bpf_spin_lock is held. Kernel counterpart: `kfunc_spin_allowed`.
    var isAllowedUnderLock: Bool {
        switch self {
        case .listPush, .listPop, .listPeek, .treeAdd, .treeRemove, .treePeek, .acquireCount, .resilientLock,
            .resilientUnlock:
            true
        default: false
        }
    }

    /// Calls a function of the program back before it returns.
    var callsBack: Bool { if case .treeAdd = self { true } else { false } }
}
