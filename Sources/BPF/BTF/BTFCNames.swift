/// Which names the types of a BTF have in one C file, where a BTF may hold several types of the same name.
///
/// C keeps tags (struct, union, enum) apart from ordinary identifiers (typedefs, enumerators).
struct BTFCNames {
    private let btf: BTF
    private var tags: [TypeID: String] = [:]
    private var typedefs: [TypeID: String] = [:]
    private var enumerators: [TypeID: [String]] = [:]
    private var uses: [TypeID: Int] = [:]
    private var ints: Set<String> = []
    private var declared: Set<String> = []

    init(_ btf: BTF) {
        self.btf = btf
        countUses()
        nameTags()
        nameOrdinary()
    }

    /// Tag of a struct, union, enum or forward declaration; nil for an anonymous one.
    func tag(of id: TypeID) -> String? { tags[id] }
    /// Name of a typedef.
    func ordinary(of id: TypeID) -> String? { typedefs[id] }
    /// Name of an enumerator where it is not its own.
    func enumerator(_ id: TypeID, _ index: Int) -> String? { enumerators[id]?[index] }
    /// How often an anonymous enum is referred to.
    func useCount(of id: TypeID) -> Int { uses[id] ?? 0 }

    /// Whether this INT is the first of its name to be printed as a typedef.
    mutating func claimsInt(_ id: TypeID) -> Bool { btf[id].name.map { ints.insert($0).inserted } ?? false }

    /// Whether this forward declaration has not been printed.
    mutating func claimsDeclaration(of tag: String) -> Bool { declared.insert(tag).inserted }

    /// An INT whose name is not made of C's words needs a typedef to such a type; nil if it is.
    func typedefText(of int: BTFInt) -> String? {
        let words: Set<Substring> = [
            "signed", "unsigned", "char", "short", "int", "long", "_Bool", "__int128",
        ]
        if int.name.split(separator: " ").allSatisfy(words.contains) { return nil }
        guard BTFNameClasses.complaint(of: Array(int.name.utf8)[...], rule: .identifier) == nil,
            !int.name.contains("."),
            !["__ARRAY_SIZE_TYPE__", "sizetype", "ssizetype", "bool"].contains(int.name)
        else { return nil }
        if int.isBool { return "_Bool" }
        let base = [1: "char", 2: "short", 4: "int", 8: "long long", 16: "__int128"][int.byteCount] ?? "int"
        return (int.isSigned ? "signed " : "unsigned ") + base
    }

    private mutating func countUses() {
        func isAnonymousEnum(_ id: TypeID) -> Bool {
            if case .enumeration(let type) = btf[id] { return type.name.isEmpty }
            return false
        }
        for index in 1..<max(btf.count, 1) {
            for target in btf[TypeID(index)].printedReferences where isAnonymousEnum(target) {
                uses[target, default: 0] += 1
            }
        }
    }

    /// Definitions get their names first; a forward declaration means the definition of its name, if one fits.
    private mutating func nameTags() {
        var taken: Set<String> = []
        var definitions: [String: TypeID] = [:]
        for index in 1..<max(btf.count, 1) {
            let id = TypeID(index)
            let isForward = if case .forward = btf[id] { true } else { false }
            guard let key = btf[id].tagKey, !isForward else { continue }
            if let name = btf[id].name, !name.isEmpty {
                tags[id] = Self.unique(name, &taken)
                if definitions[key] == nil { definitions[key] = id }
            } else if useCount(of: id) > 1 {
                // Printed in two places, its constants would be defined twice.
                tags[id] = Self.unique("__anonymous_enum_\(id.rawValue)", &taken)
            }
        }
        var forwards: [String: String] = [:]
        for index in 1..<max(btf.count, 1) {
            let id = TypeID(index)
            guard case .forward(let name, _) = btf[id], let key = btf[id].tagKey else { continue }
            let tag = definitions[key].flatMap { tags[$0] } ?? forwards[key] ?? Self.unique(name, &taken)
            forwards[key] = tag
            tags[id] = tag
        }
    }

    private mutating func nameOrdinary() {
        // The compiler brings this one, of another size on every machine.
        var taken: Set<String> = ["__builtin_va_list"]
        // Their printing order is not that of ids, so that typedefs come first: their names are the known ones.
        for index in 1..<max(btf.count, 1) {
            let id = TypeID(index)
            if case .typedef(let name, _) = btf[id] { typedefs[id] = Self.unique(name, &taken) }
            if case .int(let int) = btf[id], typedefText(of: int) != nil { taken.insert(int.name) }
        }
        for index in 1..<max(btf.count, 1) {
            let id = TypeID(index)
            guard case .enumeration(let type) = btf[id] else { continue }
            var own: [String] = []
            var isRenamed = false
            for item in type.values {
                own.append(Self.unique(item.name, &taken))
                if own.last != item.name { isRenamed = true }
            }
            if isRenamed { enumerators[id] = own }
        }
    }

    private static func unique(_ name: String, _ taken: inout Set<String>) -> String {
        if taken.insert(name).inserted { return name }
        var number = 2
        while !taken.insert("\(name)___\(number)").inserted { number += 1 }
        return "\(name)___\(number)"
    }
}

extension BTFType {
    /// What a tag means: `struct x`; nil for types without tags.
    fileprivate var tagKey: String? {
        switch self {
        case .composite(let type): (type.isUnion ? "union " : "struct ") + type.name
        case .forward(let name, let isUnion): (isUnion ? "union " : "struct ") + name
        case .enumeration(let type): "enum " + type.name
        default: nil
        }
    }

    /// Types that are mentioned where this one is printed.
    fileprivate var printedReferences: [TypeID] {
        switch self {
        case .pointer(let to): [to]
        case .typedef(_, let of), .volatile(let of), .const(let of), .restrict(let of), .typeTag(_, let of):
            [of]
        case .array(let array): [array.element]
        case .composite(let type): type.members.map(\.type)
        case .prototype(let type): [type.result] + type.parameters.map(\.type)
        default: []
        }
    }
}
