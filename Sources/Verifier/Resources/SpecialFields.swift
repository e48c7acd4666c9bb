import BPF

/// A field of a map value or of an allocated object that belongs to the machinery: plain loads and stores leave it alone.
///
/// Kernel counterpart: `struct btf_field`.
struct SpecialField: Equatable {
    enum Kind: Equatable {
        case spinLock, resilientSpinLock, timer, workQueue, taskWork, refcount, listNode, treeNode
        /// List or tree of allocated objects of one struct, linked through its node at this offset.
        case listHead(Elements), treeRoot(Elements)
        case kptr(Kptr)
    }

    /// What a list or tree holds: the `contains:struct:field` of its declaration tag.
    struct Elements: Equatable {
        /// In the object's BTF.
        var type: TypeID
        var nodeOffset: Int
    }

    /// A pointer to an object that is kept in a map.
    struct Kptr: Equatable {
        enum Ownership { case untrusted, referenced, percpu }
        var ownership: Ownership
        /// Struct it points to: in the BTF of the kernel, or else, an allocated one, in the object's.
        var type: TypeID
        var isAllocated: Bool
    }

    var kind: Kind
    var offset: Int
    var byteCount: Int

    var range: Range<Int> { offset..<offset + byteCount }

    /// The kernel's word for it.
    var name: String {
        switch kind {
        case .spinLock: "bpf_spin_lock"
        case .resilientSpinLock: "bpf_res_spin_lock"
        case .timer: "bpf_timer"
        case .workQueue: "bpf_wq"
        case .taskWork: "bpf_task_work"
        case .refcount: "bpf_refcount"
        case .listNode: "bpf_list_node"
        case .treeNode: "bpf_rb_node"
        case .listHead: "bpf_list_head"
        case .treeRoot: "bpf_rb_root"
        case .kptr: "kptr"
        }
    }
}

/// The special fields of one type, ascending by offset. Kernel counterpart: `struct btf_record`.
struct SpecialFields {
    private(set) var fields: [SpecialField] = []

    static let none = SpecialFields()

    private init() {}

    /// - Parameters:
    ///   - type: a value type (struct, DATASEC or anything else) in `btf`, the object's.
    ///   - target: BTF of the kernel, where the types that kptrs point to are looked up by name.
    init(of type: TypeID, in btf: BTF, tags: DeclarationTags, target: BTF?) {
        var collector = Collector(btf: btf, tags: tags, target: target)
        collector.visit(type, at: 0, tag: nil)
        fields = collector.fields.sorted { $0.offset < $1.offset }
    }

    /// The first field that some of these bytes belong to.
    func first(overlapping range: Range<Int>) -> SpecialField? {
        fields.first { $0.range.overlaps(range) }
    }

    func field(at offset: Int) -> SpecialField? { fields.first { $0.offset == offset } }

    var lock: SpecialField? {
        fields.first { $0.kind == .spinLock || $0.kind == .resilientSpinLock }
    }
}

/// DECL_TAGs by what they are on.
struct DeclarationTags {
    private struct Key: Hashable {
        var type: TypeID
        var component: Int
    }
    private var names: [Key: [String]] = [:]

    init(_ btf: BTF?) {
        guard let btf else { return }
        for id in btf.ids(of: .declTag) {
            guard case .declTag(let name, let type, let component) = btf[id] else { continue }
            names[Key(type: type, component: component), default: []].append(name)
        }
    }

    /// - Parameter component: member or parameter; -1: the type itself.
    func names(of type: TypeID, component: Int = -1) -> [String] {
        names[Key(type: type, component: component)] ?? []
    }
}

/// Walks a type and collects.
private struct Collector {
    let btf: BTF
    let tags: DeclarationTags
    let target: BTF?
    var fields: [SpecialField] = []
    private var visits = 0

    /// More fields than any real value has, and more members than it is worth looking at: arrays of structs multiply.
    private static let fieldsMax = 64
    private static let visitsMax = 4096

    init(btf: BTF, tags: DeclarationTags, target: BTF?) {
        self.btf = btf
        self.tags = tags
        self.target = target
    }

    /// - Parameter tag: `contains:` tag of the member or variable of this type.
    mutating func visit(_ id: TypeID, at offset: Int, tag: String?) {
        visits += 1
        guard fields.count < Collector.fieldsMax, visits < Collector.visitsMax, offset >= 0, offset < 1 << 32
        else { return }
        switch btf.resolved(id) {
        case .composite(let composite):
            if let kind = kind(ofStructNamed: composite.name, tag: tag) {
                fields.append(
                    SpecialField(kind: kind, offset: offset, byteCount: max(1, composite.byteCount)))
                return
            }
            let structure = btf.resolve(id)
            for (index, member) in composite.members.enumerated() where member.bitFieldSize == 0 {
                visit(
                    member.type, at: offset + member.byteOffset,
                    tag: contains(tags.names(of: structure, component: index)))
            }
        case .array(let array):
            guard let size = btf.byteCount(of: array.element), size > 0 else { return }
            for index in 0..<min(array.count, Collector.fieldsMax) {
                let before = fields.count
                visit(array.element, at: offset + index * size, tag: tag)
                if fields.count == before { return }
            }
        case .dataSection(let section):
            for entry in section.entries {
                guard case .variable(let variable) = btf[entry.variable] else { continue }
                visit(variable.type, at: offset + entry.offset, tag: contains(tags.names(of: entry.variable)))
            }
        case .pointer(let pointee):
            guard let kptr = kptr(pointee) else { return }
            fields.append(SpecialField(kind: .kptr(kptr), offset: offset, byteCount: 8))
        default: break
        }
    }

    private func contains(_ names: [String]) -> String? { names.first { $0.hasPrefix("contains:") } }

    private func kind(ofStructNamed name: String, tag: String?) -> SpecialField.Kind? {
        switch name {
        case "bpf_spin_lock": .spinLock
        case "bpf_res_spin_lock": .resilientSpinLock
        case "bpf_timer": .timer
        case "bpf_wq": .workQueue
        case "bpf_task_work": .taskWork
        case "bpf_refcount": .refcount
        case "bpf_list_node": .listNode
        case "bpf_rb_node": .treeNode
        case "bpf_list_head": elements(tag).map { .listHead($0) }
        case "bpf_rb_root": elements(tag).map { .treeRoot($0) }
        default: nil
        }
    }

    /// `contains:node_data:node`.
    private func elements(_ tag: String?) -> SpecialField.Elements? {
        let parts = (tag ?? "").split(separator: ":")
        guard parts.count == 3, let (type, composite) = btf.composite(named: String(parts[1])),
            let member = composite.members.first(where: { $0.name == parts[2] }), member.bitFieldSize == 0
        else { return nil }
        return .init(type: type, nodeOffset: member.byteOffset)
    }

    private func kptr(_ pointee: TypeID) -> SpecialField.Kptr? {
        var id = pointee
        var ownership: SpecialField.Kptr.Ownership?
        while true {
            switch btf[id] {
            case .typeTag("kptr", let of): (ownership, id) = (.referenced, of)
            case .typeTag("kptr_untrusted", let of): (ownership, id) = (.untrusted, of)
            case .typeTag("percpu_kptr", let of): (ownership, id) = (.percpu, of)
            case .typeTag(_, let of), .const(let of), .volatile(let of), .restrict(let of),
                .typedef(_, let of):
                id = of
            default:
                guard let ownership, let name = btf[id].name else { return nil }
                if let (type, _) = target?.composite(named: name) {
                    return .init(ownership: ownership, type: type, isAllocated: false)
                }
                return .init(ownership: ownership, type: id, isAllocated: true)
            }
        }
    }
}

extension Explorer {
    mutating func specialFields(ofMap index: Int) -> SpecialFields {
        if let known = mapFields[index] { return known }
        var found = SpecialFields.none
        if let btf = image.btf, let type = maps[index].valueType {
            found = SpecialFields(of: type, in: btf, tags: tags, target: context.target)
        }
        mapFields[index] = found
        return found
    }

    /// - Parameter type: a struct in the object's BTF.
    mutating func specialFields(ofAllocated type: TypeID) -> SpecialFields {
        if let known = allocatedFields[type] { return known }
        let found =
            image.btf.map { SpecialFields(of: type, in: $0, tags: tags, target: context.target) } ?? .none
        allocatedFields[type] = found
        return found
    }

    /// Those of what a pointer points into.
    mutating func specialFields(of pointer: Register) -> SpecialFields {
        switch pointer.kind {
        case .mapValue: specialFields(ofMap: Int(pointer.payload))
        case .allocated: specialFields(ofAllocated: TypeID(Int(pointer.payload)))
        default: .none
        }
    }

    /// The special field that a pointer with a constant offset points to; nil if it points to none.
    mutating func specialField(at pointer: Register) -> SpecialField? {
        guard !pointer.maybeNull, let offset = pointer.constantOffset else { return nil }
        return specialFields(of: pointer).field(at: offset)
    }
}
