package import BPF

/// A kernel function or tracepoint whose arguments BTF describes: the context of `tp_btf`, `fentry`, `lsm`, `iter` …
///
/// R1 points to its arguments in slots of 8 bytes. Kernel counterpart: what `bpf_check_attach_target` finds.
package struct Hook: Sendable {
    /// FUNC_PROTO in the target BTF.
    package var prototype: TypeID
    /// Parameters at the front that programs do not see.
    package var hiddenParameters: Int
    /// The function's result follows its arguments.
    package var showsResult: Bool
    /// Pointers among the arguments are valid and may be passed on; otherwise they are as if read from memory.
    package var isTrusted: Bool
    /// Arguments that may be NULL, by index.
    package var nullable: Set<Int>
    /// What R0 must be at exit; nil: any number.
    package var resultRange: ClosedRange<Int64>?
}

extension SectionDefinition {
    /// Looks up what the section names.
    func hook(_ types: ProgramContext.Types?, _ section: String) throws(ContextError) -> Hook {
        guard let target else { throw .missingTarget(section: section, example: "\(definition)/\(example)") }
        guard let btf = types?.btf else {
            throw .unsupported(section: section, reason: "there is no BTF to find '\(target)' in")
        }
        let name = functionPrefix + target
        guard let prototype = attach == .tpBTF ? btf.tracepoint(name) : btf.function(prototypeOf: name) else {
            throw .unknownTarget(section: section, wanted: name)
        }
        let names = btf.prototype(behind: prototype)?.parameters.map(\.name) ?? []
        let isVoid = btf.prototype(behind: prototype).map { btf.resolved($0.result).isVoid } ?? true
        return Hook(
            prototype: prototype, hiddenParameters: attach == .tpBTF ? 1 : 0,
            showsResult: attach == .fexit || attach == .modifyReturn,
            isTrusted: attach == .tpBTF || attach == .iterator || attach == .lsmMAC || attach == .lsmCgroup,
            nullable: nullableArguments(of: target, names, btf), resultRange: resultRange(isVoid: isVoid))
    }

    private var functionPrefix: String {
        switch attach {
        case .tpBTF: "btf_trace_"
        case .iterator: "bpf_iter_"
        case .lsmMAC, .lsmCgroup: "bpf_lsm_"
        default: ""
        }
    }

    private var example: String {
        switch attach {
        case .tpBTF: "sched_switch"
        case .iterator: "task"
        case .lsmMAC, .lsmCgroup: "file_open"
        default: "do_unlinkat"
        }
    }

    private func resultRange(isVoid: Bool) -> ClosedRange<Int64>? {
        switch attach {
        case .fentry, .fexit: 0...0
        case .iterator: 0...1
        case .lsmMAC: isVoid ? nil : -4095...0
        case .lsmCgroup: isVoid ? nil : 0...1
        default: nil
        }
    }

    private func nullableArguments(of target: String, _ names: [String], _ btf: BTF) -> Set<Int> {
        switch attach {
        case .iterator:
            // The last turn of an iterator has no element.
            return Set(names.indices.dropFirst())
        case .tpBTF:
            // Parameters that may be NULL end in __nullable in the function behind the tracepoint.
            let stub = btf.function(prototypeOf: "__bpf_trace_" + target).flatMap {
                btf.prototype(behind: $0)
            }
            return Set(
                (stub?.parameters.dropFirst() ?? []).enumerated()
                    .filter { $1.name.hasSuffix("__nullable") }.map(\.offset))
        default: return []
        }
    }
}

extension BTF {
    /// The FUNC_PROTO of a function; nil if there is none of this name.
    fileprivate func function(prototypeOf name: String) -> TypeID? { function(named: name)?.type.prototype }

    /// The FUNC_PROTO behind `typedef void (*btf_trace_X)(void *, …)`.
    fileprivate func tracepoint(_ name: String) -> TypeID? {
        ids(named: name).lazy.compactMap { id -> TypeID? in
            guard case .typedef(_, let type) = self[id], let prototype = self.pointee(of: type),
                case .prototype = self[prototype]
            else { return nil }
            return prototype
        }.first
    }
}

extension BTFType {
    fileprivate var isVoid: Bool { if case .void = self { true } else { false } }
}
