/// What a relocation comes to.
package enum COREResolution: Equatable, Sendable {
    case value(COREValue)
    /// The target has no such thing. Only reaching the instruction is an error; the sentence is for that one.
    case poison(String)
}

/// A number to put into an instruction.
package struct COREValue: Equatable, Sendable {
    package var value: UInt64
    /// What the object's own types give, and what the instruction therefore holds; nil if it may hold anything.
    package var localValue: UInt64?
    /// For the offset of a plain field: bytes of the field here and there. A load or store changes its size with them.
    package var byteCounts: (local: Int, target: Int)?
    /// Why a load or store of another size would not mean the same; nil if it would.
    package var resizeObstacle: String?

    package static func == (a: COREValue, b: COREValue) -> Bool {
        a.value == b.value && a.localValue == b.localValue && a.resizeObstacle == b.resizeObstacle
            && a.byteCounts?.local == b.byteCounts?.local && a.byteCounts?.target == b.byteCounts?.target
    }
}

/// Resolves the CO-RE relocations of one object against one target BTF.
///
/// Candidates are the target's types with the name of the local root type, flavour stripped. Those that do not have
/// what is accessed drop out; those that remain must agree on the answer.
///
/// Equal relocations are resolved once: a field is usually accessed many times.
package struct COREResolver {
    let local: BTF
    let target: BTF
    private let targetName: String
    private let compatibility: CORECompatibility
    private var candidates: [TypeID: [TypeID]] = [:]
    private var resolved: [Key: COREResolution] = [:]
    private var subjects: [Key: String] = [:]

    private struct Key: Hashable {
        var type: TypeID
        var access: String
        var kind: CORERelocation.Kind
    }

    /// - Parameter targetName: how poison sentences call the target.
    package init(local: BTF, target: BTF, targetName: String = "the target BTF") {
        self.local = local
        self.target = target
        self.targetName = targetName
        compatibility = CORECompatibility(local: local, target: target)
    }

    /// What the relocation is about, for messages: `tcp_sock.rack.reo_wnd`.
    package mutating func subject(of relocation: CORERelocation) throws(COREError) -> String {
        let key = Key(type: relocation.type, access: relocation.access, kind: relocation.kind)
        if let known = subjects[key] { return known }
        let subject = try COREAccess(relocation, in: local).subject(in: local)
        subjects[key] = subject
        return subject
    }

    package mutating func resolve(_ relocation: CORERelocation) throws(COREError) -> COREResolution {
        let key = Key(type: relocation.type, access: relocation.access, kind: relocation.kind)
        if let known = resolved[key] { return known }
        let resolution = try resolveAnew(relocation)
        resolved[key] = resolution
        return resolution
    }

    private mutating func resolveAnew(_ relocation: CORERelocation) throws(COREError) -> COREResolution {
        // The id in the object itself; its instruction holds an id from before linking.
        if relocation.kind == .typeIDLocal {
            return .value(COREValue(value: UInt64(relocation.type.rawValue)))
        }
        let access = try COREAccess(relocation, in: local)
        let candidates = candidates(for: access)
        var found: (id: TypeID, resolution: COREResolution)?
        var reasons: [String] = []
        var disagreeing: [TypeID] = []
        for candidate in candidates {
            switch try answer(relocation.kind, access, in: candidate) {
            case .absent(let reason): if let reason { reasons.append(reason) }
            case .present(let resolution):
                guard let first = found else {
                    found = (candidate, resolution)
                    continue
                }
                if first.resolution != resolution { disagreeing += [first.id, candidate] }
            }
        }
        guard disagreeing.isEmpty else {
            let ids = Set(disagreeing).sorted()
            throw .ambiguous(subject: access.subject(in: local), kind: relocation.kind.name, candidates: ids)
        }
        if let found { return found.resolution }
        return absence(relocation.kind, access, reason: reasons.first)
    }

    /// Types of the target that may be the root type.
    private mutating func candidates(for access: COREAccess) -> [TypeID] {
        if let known = candidates[access.root] { return known }
        let found = target.ids(named: access.rootName).filter { compatibility.isCandidate(access.root, $0) }
        candidates[access.root] = found
        return found
    }

    private enum Answer {
        case present(COREResolution)
        case absent(reason: String?)
    }

    private func answer(
        _ kind: CORERelocation.Kind, _ access: COREAccess, in candidate: TypeID
    ) throws(COREError) -> Answer {
        switch kind.subject {
        case .field:
            switch compatibility.place(of: access, in: candidate) {
            case .missing(let reason): return .absent(reason: reason)
            case .found(let place): return .present(try field(kind, access, at: place))
            }
        case .type:
            let isThere =
                kind == .typeMatches
                ? compatibility.typesMatch(access.root, candidate)
                : compatibility.typesAreCompatible(access.root, candidate)
            return isThere ? .present(type(kind, access, candidate)) : .absent(reason: nil)
        case .enumerator:
            guard let wanted = access.enumerator, case .enumeration(let type) = target.resolved(candidate),
                let there = type.values.first(where: { $0.name == wanted.name.withoutFlavour })
            else { return .absent(reason: nil) }
            if kind == .enumeratorExists { return .present(.value(COREValue(value: 1, localValue: 1))) }
            return .present(.value(COREValue(value: there.value, localValue: wanted.value)))
        }
    }

    /// What a relocation comes to when no candidate has its subject. Asking whether it exists, or for the size or id
    /// of a type, gets 0; the rest cannot be answered.
    private func absence(
        _ kind: CORERelocation.Kind, _ access: COREAccess, reason: String?
    ) -> COREResolution {
        switch kind {
        case .fieldExists, .typeExists, .typeMatches, .enumeratorExists:
            return .value(COREValue(value: 0, localValue: 1))
        case .typeSize, .typeIDTarget: return .value(COREValue(value: 0, localValue: nil))
        default:
            let why = reason.map { ": " + $0 } ?? ""
            return .poison("\(access.subject(in: local)) is not modelled by \(targetName)\(why)")
        }
    }
}

// MARK: - Numbers

extension COREResolver {
    fileprivate func type(_ kind: CORERelocation.Kind, _ access: COREAccess, _ candidate: TypeID)
        -> COREResolution
    {
        switch kind {
        case .typeSize:
            let here = local.byteCount(of: access.root).map(UInt64.init)
            guard let there = target.byteCount(of: candidate) else {
                return .poison("\(access.subject(in: local)) has no size in \(targetName)")
            }
            return .value(COREValue(value: UInt64(there), localValue: here))
        case .typeIDTarget: return .value(COREValue(value: UInt64(candidate.rawValue), localValue: nil))
        default: return .value(COREValue(value: 1, localValue: 1))
        }
    }

    fileprivate func field(
        _ kind: CORERelocation.Kind, _ access: COREAccess, at place: COREFieldPlace
    ) throws(COREError) -> COREResolution {
        let here = access.localPlace
        if kind == .fieldExists { return .value(COREValue(value: 1, localValue: 1)) }
        func unsupported(_ reason: String) -> COREError {
            .unsupportedField(subject: access.subject(in: local), reason: reason)
        }
        if place.isElement && kind != .fieldByteOffset && kind != .fieldByteSize {
            throw unsupported("\(kind.name) of an array element")
        }
        if kind == .fieldSigned {
            return .value(
                COREValue(value: isSigned(place.type, in: target), localValue: isSigned(here.type, in: local))
            )
        }
        guard let there = place.load(in: target) else { throw unsupported("no load of 8 bytes holds it") }
        // How to load a bit field is the compiler's own choice: what the instruction holds is not checked.
        let isBitField = place.bitFieldSize > 0 || here.bitFieldSize > 0
        let mine = isBitField ? nil : here.load(in: local)
        switch kind {
        case .fieldByteOffset:
            var value = COREValue(
                value: UInt64(there.byteOffset), localValue: mine.map { UInt64($0.byteOffset) })
            if let mine {
                value.byteCounts = (mine.byteCount, there.byteCount)
                value.resizeObstacle = resizeObstacle(here.type, place.type, mine.byteCount, there.byteCount)
            }
            return .value(value)
        case .fieldByteSize:
            return .value(
                COREValue(value: UInt64(there.byteCount), localValue: mine.map { UInt64($0.byteCount) }))
        case .fieldLeftShift:
            // Moves the field's last bit to bit 63 of the loaded value (little endian).
            let end = place.bitOffset + there.bitCount - 8 * there.byteOffset
            return .value(COREValue(value: UInt64(max(0, 64 - end))))
        default:
            return .value(COREValue(value: UInt64(max(0, 64 - there.bitCount))))
        }
    }

    private func isSigned(_ type: TypeID, in btf: BTF) -> UInt64 {
        switch btf.resolved(type) {
        case .int(let int): int.isSigned ? 1 : 0
        case .enumeration(let enumeration): enumeration.isSigned ? 1 : 0
        default: 0
        }
    }

    /// A load of another size zero-extends, so it keeps the value only of unsigned integers and pointers.
    private func resizeObstacle(_ here: TypeID, _ there: TypeID, _ size: Int, _ targetSize: Int) -> String? {
        if size == targetSize { return nil }
        let sizes = "it has \(targetSize) bytes there, \(size) here"
        switch (local.resolved(here), target.resolved(there)) {
        case (.pointer, .pointer): return nil
        case (.int(let a), .int(let b)):
            return a.isSigned || b.isSigned ? sizes + ", and is signed" : nil
        default: return sizes + ", and is no unsigned integer"
        }
    }
}
