import BPF
import Verifier

/// What became of an extern.
enum ResolvedExtern {
    /// Index into `LinkedObject.kfuncs`.
    case kfunc(Int)
    /// VAR of the target BTF.
    case variable(TypeID)
    /// It has a place in `.kconfig`; nothing to patch but data.
    case configured
    /// Weak and not there: its address is 0, and a call of it must not be reached.
    case missing(reason: String)
}

extension Linker {
    mutating func resolveExterns() throws(OpsError) {
        for extern in spec.externs {
            switch extern.kind {
            case .kconfig: externs.append(.configured)
            case .function(let prototype): externs.append(try resolveKfunc(extern, prototype))
            case .variable: externs.append(try resolveVariable(extern))
            }
        }
    }

    private mutating func resolveKfunc(_ extern: ExternSpec, _ prototype: TypeID) throws(OpsError)
        -> ResolvedExtern
    {
        let name = extern.essentialName
        guard let kfunc = options.kfuncs[name],
            case .function(let function) = options.target[kfunc.function.id]
        else {
            let reason = "\(options.targetName) offers no kfunc '\(name)'"
            guard !extern.isWeak else { return .missing(reason: reason) }
            try fail(
                OpsError(
                    "unresolved", errno: OpsError.esrch,
                    "extern (func ksym) '\(extern.name)': not found in kernel or module BTFs", at: location(),
                    reason: reason,
                    suggestion: suggestion(for: name) ?? "declare it __weak and test for it, or do without"))
            return .missing(reason: reason)
        }
        if let btf = spec.btf,
            let difference = incompatibility(prototype, btf, function.prototype, options.target)
        {
            let ours = options.target.name(of: function.prototype)
            guard !extern.isWeak else { return .missing(reason: "its prototype is \(ours): \(difference)") }
            try fail(
                OpsError(
                    "unresolved", errno: OpsError.einval,
                    "extern (func ksym) '\(extern.name)': func_proto '\(btf.name(of: prototype))' incompatible with '\(ours)'",
                    at: location(), reason: difference, suggestion: "declare it as '\(ours)'"))
            return .missing(reason: "its prototype is \(ours): \(difference)")
        }
        linked.kfuncs.append(kfunc)
        return .kfunc(linked.kfuncs.count - 1)
    }

    private mutating func resolveVariable(_ extern: ExternSpec) throws(OpsError) -> ResolvedExtern {
        let found = options.target.ids(named: extern.essentialName).first {
            if case .variable = options.target[$0] { true } else { false }
        }
        if options.isForJudgement, let found { return .variable(found) }
        let reason = "kernel variables are not modelled here"
        guard !extern.isWeak else { return .missing(reason: reason) }
        try fail(
            OpsError(
                "unresolved", errno: OpsError.esrch, "extern '\(extern.name)' (strong): not resolved",
                at: location(),
                reason: reason, suggestion: "declare it __weak and test its address"))
        return .missing(reason: reason)
    }

    /// A kfunc whose name is close: one insertion, deletion or replacement away.
    private func suggestion(for name: String) -> String? {
        let close = options.kfuncs.keys.sorted().first { isOneEditApart(Array($0.utf8), Array(name.utf8)) }
        return close.map { "did you mean '\($0)'?" }
    }

    private func isOneEditApart(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard abs(a.count - b.count) <= 1 else { return false }
        let prefix = zip(a, b).prefix { $0 == $1 }.count
        let suffix = zip(a.reversed(), b.reversed()).prefix { $0 == $1 }.count
        return prefix + suffix >= max(a.count, b.count) - 1
    }
}

/// Why two prototypes are not compatible in libbpf's sense (`bpf_core_types_are_compat`): same number of parameters,
/// same kinds all the way down, names and sizes ignored; nil if they are.
private func incompatibility(_ a: TypeID, _ btfA: BTF, _ b: TypeID, _ btfB: BTF) -> String? {
    guard case .prototype(let left) = btfA.resolved(a), case .prototype(let right) = btfB.resolved(b) else {
        return "not a function"
    }
    guard left.parameters.count == right.parameters.count else {
        return "\(left.parameters.count) parameters, the kernel's has \(right.parameters.count)"
    }
    if !areCompatible(left.result, btfA, right.result, btfB, depth: 0) {
        return "it returns \(btfA.name(of: left.result)), the kernel's \(btfB.name(of: right.result))"
    }
    for (index, pair) in zip(left.parameters, right.parameters).enumerated()
    where !areCompatible(pair.0.type, btfA, pair.1.type, btfB, depth: 0) {
        return
            "parameter \(index + 1) is \(btfA.name(of: pair.0.type)), the kernel's \(btfB.name(of: pair.1.type))"
    }
    return nil
}

private func areCompatible(_ a: TypeID, _ btfA: BTF, _ b: TypeID, _ btfB: BTF, depth: Int) -> Bool {
    // libbpf's limit (32 levels); deeper types are given up as incompatible there too.
    guard depth < 32 else { return false }
    switch (btfA.resolved(a), btfB.resolved(b)) {
    case (.void, .void), (.int, .int), (.enumeration, .enumeration), (.float, .float): return true
    case (.composite(let x), .composite(let y)): return x.isUnion == y.isUnion
    case (.forward(_, let x), .forward(_, let y)): return x == y
    case (.forward(_, let x), .composite(let y)): return x == y.isUnion
    case (.composite(let x), .forward(_, let y)): return x.isUnion == y
    case (.pointer(let x), .pointer(let y)): return areCompatible(x, btfA, y, btfB, depth: depth + 1)
    case (.array(let x), .array(let y)):
        return areCompatible(x.element, btfA, y.element, btfB, depth: depth + 1)
    case (.prototype(let x), .prototype(let y)):
        guard x.parameters.count == y.parameters.count else { return false }
        return areCompatible(x.result, btfA, y.result, btfB, depth: depth + 1)
            && zip(x.parameters, y.parameters).allSatisfy {
                areCompatible($0.type, btfA, $1.type, btfB, depth: depth + 1)
            }
    default: return false
    }
}
