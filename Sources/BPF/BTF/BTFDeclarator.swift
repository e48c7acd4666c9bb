/// Writes types as C writes them, around a name: `const char *x[4]`, `u32 (*)(struct sock *, u8)`.
///
/// C declarators grow inside out, so the name is the seed and each pointer, array or prototype on the way to the base
/// type is put around what there is.
///
/// Hostile types can unfold to astronomically long text without any cycle; `budget` counts the types that may still
/// be visited, and what is beyond it prints as `...`.
struct BTFDeclarator {
    let btf: BTF
    var budget: Int

    init(_ btf: BTF, budget: Int = 2000) {
        self.btf = btf
        self.budget = budget
    }

    /// - Parameter base: text of a composite or enumeration; given for printing bodies of anonymous types in place.
    mutating func declare(
        _ id: TypeID, _ name: String, base: (inout BTFDeclarator, TypeID) -> String = { $0.tag(of: $1) }
    ) -> String {
        declare(id, name, qualifiers: "", base: base)
    }

    /// `struct x`, or `struct {...}` for one without a name.
    func tag(of id: TypeID) -> String {
        switch btf[id] {
        case .composite(let type):
            (type.isUnion ? "union " : "struct ") + (type.name.isEmpty ? "{...}" : type.name)
        case .enumeration(let type): "enum " + (type.name.isEmpty ? "{...}" : type.name)
        case .forward(let name, let isUnion): (isUnion ? "union " : "struct ") + name
        default: btf[id].name ?? "void"
        }
    }

    private mutating func declare(
        _ id: TypeID, _ inner: String, qualifiers: String, base: (inout BTFDeclarator, TypeID) -> String
    ) -> String {
        guard budget > 0 else { return "..." }
        budget -= 1
        switch btf[id] {
        case .const(let of): return declare(of, inner, qualifiers: "const " + qualifiers, base: base)
        case .volatile(let of): return declare(of, inner, qualifiers: "volatile " + qualifiers, base: base)
        case .restrict(let of): return declare(of, inner, qualifiers: "restrict " + qualifiers, base: base)
        case .typeTag(_, let of): return declare(of, inner, qualifiers: qualifiers, base: base)
        case .pointer(let to):
            var text = "*" + qualifiers + inner
            // `*const ` needs its blank only before a name.
            if inner.isEmpty && text.hasSuffix(" ") { text.removeLast() }
            if bindsTighter(to) { text = "(" + text + ")" }
            return declare(to, text, qualifiers: "", base: base)
        case .array(let array):
            return declare(array.element, inner + "[\(array.count)]", qualifiers: qualifiers, base: base)
        case .prototype(let prototype):
            let list = parameters(of: prototype, base: base)
            return declare(prototype.result, inner + "(" + list + ")", qualifiers: "", base: base)
        case .function(let function):
            return declare(function.prototype, function.name, qualifiers: "", base: base)
        case .variable(let variable): return declare(variable.type, variable.name, qualifiers: "", base: base)
        default:
            let text = qualifiers + base(&self, id)
            return inner.isEmpty ? text : inner.first == "[" ? text + inner : text + " " + inner
        }
    }

    /// Parameter names are left out: a prototype's text is its type.
    private mutating func parameters(
        of prototype: BTFPrototype, base: (inout BTFDeclarator, TypeID) -> String
    ) -> String {
        var list: [String] = []
        for parameter in prototype.parameters {
            list.append(declare(parameter.type, "", qualifiers: "", base: base))
        }
        if prototype.isVariadic { list.append("...") }
        return list.isEmpty ? "void" : list.joined(separator: ", ")
    }

    /// Whether a pointer to this type needs parentheses: `(*x)[4]`, `(*x)(void)`.
    private func bindsTighter(_ id: TypeID) -> Bool {
        var id = id
        while true {
            switch btf[id] {
            case .const(let of), .volatile(let of), .restrict(let of), .typeTag(_, let of): id = of
            case .array, .prototype: return true
            default: return false
            }
        }
    }
}

extension BTF {
    /// A type's name for messages: `struct sock *`, `char[16]`, `u32 (struct sock *, u8)`, `u32 (*)(struct sock *)`.
    ///
    /// Prototypes read as in `bpftool struct_ops dump`.
    package func name(of id: TypeID) -> String {
        var declarator = BTFDeclarator(self)
        switch self[id] {
        case .function(let function): return declarator.declare(function.prototype, "")
        case .variable(let variable): return declarator.declare(variable.type, "")
        default: return declarator.declare(id, "")
        }
    }

    /// A declaration of `name` with that type: `struct sock *sk`, `u32 (*ssthresh)(struct sock *)`.
    package func declaration(of name: String, type: TypeID) -> String {
        var declarator = BTFDeclarator(self)
        return declarator.declare(type, name)
    }
}
