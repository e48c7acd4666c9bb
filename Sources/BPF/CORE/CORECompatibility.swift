/// Which types of the target may stand for a type of the object. There are three notions, each weaker or stronger for
/// what it is used for: fields, whole types, and matching types.
///
/// Names are compared without flavours. Typedefs and qualifiers do not count below the root.
///
/// Source: BPF CO-RE reference guide (nakryiko.com), comments of `bpf_core_read.h`.
struct CORECompatibility {
    let local: BTF
    let target: BTF

    /// Levels of pointers, arrays and prototypes that are compared. Kernel counterpart: the same limit of 32.
    private static let depthMax = 32

    /// Whether one type may be a candidate for the other at all: same kind, enums of either width alike.
    func isCandidate(_ localID: TypeID, _ targetID: TypeID) -> Bool {
        let mine = local.kind(of: localID)
        let other = target.kind(of: targetID)
        return mine == other || (mine?.isEnum == true && other?.isEnum == true)
    }

    // MARK: Fields

    /// A field may change its size and signedness, and a struct its contents; a pointer stays a pointer, an array one
    /// of compatible elements, an enum (unless anonymous) keeps its name.
    func fieldsAreCompatible(_ localID: TypeID, _ targetID: TypeID) -> Bool {
        switch (local.resolvedKind(of: localID), target.resolvedKind(of: targetID)) {
        case (.struct, .struct), (.union, .union), (.pointer, .pointer), (.float, .float): return true
        default: break
        }
        return switch (local.resolved(localID), target.resolved(targetID)) {
        case (.composite, .composite): true
        case (.int(let a), .int(let b)): a.bitOffset == 0 && b.bitOffset == 0
        case (.enumeration(let a), .enumeration(let b)): namesAgree(a.name, b.name)
        case (.forward(let a, _), .forward(let b, _)): namesAgree(a, b)
        case (.array(let a), .array(let b)): fieldsAreCompatible(a.element, b.element)
        default: false
        }
    }

    private func namesAgree(_ a: String, _ b: String) -> Bool {
        a.isEmpty || b.isEmpty || a.withoutFlavour == b.withoutFlavour
    }

    // MARK: Whole types

    /// For type_exists, type_size and target_type_id, after the names of the roots have been matched: kinds agree, and
    /// below pointers, arrays and prototypes again; names, sizes and members do not count.
    func typesAreCompatible(_ localID: TypeID, _ targetID: TypeID) -> Bool {
        var budget = 1000
        return typesAreCompatible(localID, targetID, depth: Self.depthMax, budget: &budget)
    }

    private func typesAreCompatible(_ localID: TypeID, _ targetID: TypeID, depth: Int, budget: inout Int)
        -> Bool
    {
        guard depth > 0, budget > 0 else { return false }
        budget -= 1
        switch (local.resolved(localID), target.resolved(targetID)) {
        case (.void, .void), (.forward, .forward), (.enumeration, .enumeration), (.float, .float): return true
        case (.composite(let a), .composite(let b)): return a.isUnion == b.isUnion
        case (.int(let a), .int(let b)): return a.bitOffset == 0 && b.bitOffset == 0
        case (.pointer(let a), .pointer(let b)):
            return typesAreCompatible(a, b, depth: depth - 1, budget: &budget)
        case (.array(let a), .array(let b)):
            return typesAreCompatible(a.element, b.element, depth: depth - 1, budget: &budget)
        case (.prototype(let a), .prototype(let b)):
            guard a.parameters.count == b.parameters.count, a.isVariadic == b.isVariadic else { return false }
            for (mine, other) in zip(a.parameters, b.parameters)
            where !typesAreCompatible(mine.type, other.type, depth: depth - 1, budget: &budget) {
                return false
            }
            return typesAreCompatible(a.result, b.result, depth: depth - 1, budget: &budget)
        default: return false
        }
    }

    // MARK: Matching types

    /// For type_matches: the local type is a part of the target's. Every local member is there by name and matches,
    /// every local enumerator is there by name, integers have the same size and sign. Behind a pointer only the kind
    /// and the name of structs and unions count.
    func typesMatch(_ localID: TypeID, _ targetID: TypeID) -> Bool {
        var matcher = CORETypeMatcher(local: local, target: target)
        return matcher.matches(localID, targetID, isBehindPointer: false, depth: Self.depthMax)
    }
}

/// One comparison for type_matches. Pairs of structs are compared once, so that nested types cost no more than their
/// number.
private struct CORETypeMatcher {
    let local: BTF
    let target: BTF
    private var seen: [Pair: Bool] = [:]
    private var budget = 20_000

    private struct Pair: Hashable {
        var local: TypeID
        var target: TypeID
    }

    init(local: BTF, target: BTF) {
        self.local = local
        self.target = target
    }

    mutating func matches(_ localID: TypeID, _ targetID: TypeID, isBehindPointer: Bool, depth: Int) -> Bool {
        guard depth > 0, budget > 0 else { return false }
        budget -= 1
        let localID = local.resolve(localID)
        let targetID = target.resolve(targetID)
        switch (local[localID], target[targetID]) {
        case (.void, .void): return true
        case (.int(let a), .int(let b)): return a.byteCount == b.byteCount && a.isSigned == b.isSigned
        case (.float(_, let a), .float(_, let b)): return a == b
        case (.enumeration(let a), .enumeration(let b)): return matches(a, b)
        case (.forward(let a, let isUnion), .forward(let b, let isOtherUnion)):
            return isUnion == isOtherUnion && namesAgree(a, b)
        case (.forward(let a, let isUnion), .composite(let b)):
            return isBehindPointer && isUnion == b.isUnion && namesAgree(a, b.name)
        case (.composite(let a), .forward(let b, let isUnion)):
            return isBehindPointer && isUnion == a.isUnion && namesAgree(a.name, b)
        case (.composite(let a), .composite(let b)):
            guard a.isUnion == b.isUnion, namesAgree(a.name, b.name) else { return false }
            if isBehindPointer { return true }
            let pair = Pair(local: localID, target: targetID)
            if let known = seen[pair] { return known }
            seen[pair] = true
            let result = allMembersMatch(a, in: targetID, depth: depth - 1)
            seen[pair] = result
            return result
        case (.pointer(let a), .pointer(let b)): return matches(a, b, isBehindPointer: true, depth: depth - 1)
        case (.array(let a), .array(let b)):
            return a.count == b.count
                && matches(a.element, b.element, isBehindPointer: isBehindPointer, depth: depth - 1)
        case (.prototype(let a), .prototype(let b)):
            guard a.parameters.count == b.parameters.count, a.isVariadic == b.isVariadic else { return false }
            for (mine, other) in zip(a.parameters, b.parameters)
            where !matches(mine.type, other.type, isBehindPointer: false, depth: depth - 1) {
                return false
            }
            return matches(a.result, b.result, isBehindPointer: false, depth: depth - 1)
        default: return false
        }
    }

    /// Members of local anonymous structs and unions count as members of their parent, on both sides.
    private mutating func allMembersMatch(_ composite: BTFComposite, in targetID: TypeID, depth: Int) -> Bool
    {
        for member in composite.members {
            if member.name.isEmpty {
                guard depth > 0, budget > 0, case .composite(let inner) = local.resolved(member.type) else {
                    return false
                }
                budget -= 1
                guard allMembersMatch(inner, in: targetID, depth: depth - 1) else { return false }
            } else {
                guard let field = target.field(named: member.name, in: targetID),
                    matches(member.type, field.type, isBehindPointer: false, depth: depth)
                else { return false }
            }
        }
        return true
    }

    private func matches(_ a: BTFEnum, _ b: BTFEnum) -> Bool {
        guard namesAgree(a.name, b.name), a.byteCount == b.byteCount || a.is64 != b.is64 else { return false }
        let there = Set(b.values.map(\.name))
        return a.values.allSatisfy { there.contains($0.name.withoutFlavour) }
    }

    private func namesAgree(_ a: String, _ b: String) -> Bool { a.withoutFlavour == b.withoutFlavour }
}

extension BTFKind {
    fileprivate var isEnum: Bool { self == .enumeration || self == .enum64 }
}
