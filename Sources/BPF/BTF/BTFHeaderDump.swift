extension BTF {
    /// All types as a C header like `bpftool btf dump format c` makes: clang compiles it to types of equal layout, and
    /// accesses to them are recorded for CO-RE.
    ///
    /// A second type of a name that is taken is called `name___2`, as its users see no other way to tell them apart.
    /// Type tags, variables and functions are left out, but for those functions that a `bpf_kfunc` tag exports.
    package func dumpC() -> String {
        var dump = BTFHeaderDump(self, budget: 500_000)
        return dump.run()
    }

    /// One type as C, with its body if it has one and without what it needs: `struct x {⏎ … ⏎};`.
    package func declaration(of id: TypeID) -> String {
        var dump = BTFHeaderDump(self, budget: 10_000)
        return dump.definition(of: id)
    }
}

/// Orders the types so that C accepts them, and prints each once.
///
/// A type that is needed by value must be complete before; behind a pointer a forward declaration does. Since nothing
/// contains itself by value, following only needs by value always ends.
struct BTFHeaderDump {
    let btf: BTF
    private(set) var names: BTFCNames
    private let alignments: BTFCAlignments
    private var text = ""
    private var state: [TypeID: State] = [:]
    /// Members that bodies of anonymous types may still unfold to, in all. A kernel needs 60,000.
    private var budget: Int
    /// Levels of anonymous types inside each other that are printed; through pointers hostile ones have no end.
    private static let nestingMax = 32

    private enum State { case defining, defined }
    /// Types that are being defined, outermost first; their texts come in the opposite order.
    private var definitions: [TypeID] = []

    init(_ btf: BTF, budget: Int) {
        self.btf = btf
        self.budget = budget
        names = BTFCNames(btf)
        alignments = BTFCAlignments(btf)
    }

    mutating func run() -> String {
        text = """
            #ifndef __VMLINUX_H__
            #define __VMLINUX_H__

            #ifndef BPF_NO_PRESERVE_ACCESS_INDEX
            #pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
            #endif


            """
        for index in 1..<max(btf.count, 1) {
            let id = TypeID(index)
            switch btf[id] {
            // An anonymous enum that nothing refers to still defines constants.
            case .enumeration(let type) where type.name.isEmpty && names.useCount(of: id) == 0: define(id)
            case .enumeration(let type) where !type.name.isEmpty || names.tag(of: id) != nil: define(id)
            case .composite(let type) where !type.name.isEmpty: define(id)
            case .typedef: define(id)
            case .int: define(id)
            default: break
            }
        }
        text += """
            #ifndef BPF_NO_PRESERVE_ACCESS_INDEX
            #pragma clang attribute pop
            #endif

            """
        text += "\n" + kfuncs()
        return text + "#endif /* __VMLINUX_H__ */\n"
    }

    /// Text of one definition, ended by a semicolon.
    mutating func definition(of id: TypeID) -> String {
        switch btf[id] {
        case .typedef(let name, let of):
            let name = names.ordinary(of: id) ?? name
            return "typedef " + declare(of, name) + ";"
        case .composite: return body(of: id, indent: 0) + ";"
        case .enumeration: return body(ofEnum: id, indent: 0) + ";"
        case .int(let int):
            return names.typedefText(of: int).map { "typedef \($0) \(int.name);" } ?? int.name + ";"
        case .forward: return declarator.tag(of: id) + ";"
        case .function(let function): return declareFunction(function) + ";"
        case .variable(let variable): return declare(variable.type, variable.name) + ";"
        default: return declare(id, "") + ";"
        }
    }

    // MARK: Order

    /// Prints a type's definition, after those it needs.
    private mutating func define(_ id: TypeID) {
        guard state[id] != .defined, state[id] != .defining else { return }
        state[id] = .defining
        definitions.append(id)
        defer { definitions.removeLast() }
        switch btf[id] {
        case .typedef(_, let of): need(of, isComplete: false)
        case .composite(let composite):
            for member in composite.members { need(member.type, isComplete: true) }
        case .int(let int):
            guard names.typedefText(of: int) != nil, names.claimsInt(id) else { return state[id] = .defined }
        default: break
        }
        text += definition(of: id) + "\n\n"
        state[id] = .defined
    }

    /// Sees to it that a type may be mentioned; by value if `isComplete`.
    private mutating func need(_ id: TypeID, isComplete: Bool) {
        switch btf[id] {
        case .const(let of), .volatile(let of), .restrict(let of), .typeTag(_, let of):
            need(of, isComplete: isComplete)
        case .pointer(let to): need(to, isComplete: false)
        // Elements must be complete even behind a pointer.
        case .array(let array): need(array.element, isComplete: true)
        case .prototype(let prototype):
            need(prototype.result, isComplete: false)
            for parameter in prototype.parameters { need(parameter.type, isComplete: false) }
        case .typedef(_, let of):
            define(id)
            if isComplete { need(of, isComplete: true) }
        case .composite(let composite):
            if composite.name.isEmpty {
                // Printed in place, so its members are needed by value here.
                guard state[id] == nil else { return }
                state[id] = .defined
                for member in composite.members { need(member.type, isComplete: true) }
            } else if isComplete {
                define(id)
            } else {
                declareTag(id)
            }
        case .enumeration: if names.tag(of: id) != nil { define(id) }
        case .forward: declareTag(id)
        case .int: define(id)
        default: break
        }
    }

    private mutating func declareTag(_ id: TypeID) {
        // Inside its own definition a tag is known; not so in a typedef that has to go before that.
        guard state[id] != .defined, id != definitions.last else { return }
        let tag = tagText(of: id)
        if names.claimsDeclaration(of: tag) { text += tag + ";\n\n" }
    }

    // MARK: Text

    private var declarator: BTFDeclarator { BTFDeclarator(btf, budget: 10_000) }

    private func tagText(of id: TypeID) -> String {
        let keyword =
            switch btf[id] {
            case .composite(let type): type.isUnion ? "union " : "struct "
            case .forward(_, let isUnion): isUnion ? "union " : "struct "
            default: "enum "
            }
        return keyword + (names.tag(of: id) ?? "")
    }

    /// A declaration of `name` in which anonymous types have their bodies.
    mutating func declare(_ id: TypeID, _ name: String, indent: Int = 0) -> String {
        var declarator = declarator
        // The closure cannot capture an inout self: it works on a copy, whose budget is taken back.
        var printer = self
        printer.text = ""
        let result = declarator.declare(id, name) { _, base in printer.base(base, indent: indent) }
        budget = printer.budget
        return result
    }

    private mutating func base(_ id: TypeID, indent: Int) -> String {
        switch btf[id] {
        case .composite(let type): return type.name.isEmpty ? body(of: id, indent: indent) : tagText(of: id)
        case .enumeration:
            return names.tag(of: id) == nil ? body(ofEnum: id, indent: indent) : tagText(of: id)
        case .forward: return tagText(of: id)
        case .typedef(let name, _): return names.ordinary(of: id) ?? name
        default: return btf[id].name ?? "void"
        }
    }

    /// A struct or union with its members, padding and attributes, without a final semicolon.
    private mutating func body(of id: TypeID, indent: Int) -> String {
        guard case .composite(let composite) = btf[id] else { return "" }
        let tag = tagText(of: id).trimmedEnd
        guard budget > 0, indent <= Self.nestingMax else { return tag + " { /* ... */ }" }
        if composite.name.isEmpty { budget -= 1 + composite.members.count }
        let layout = BTFCLayout(of: id, composite, in: btf, alignments: alignments)
        let tabs = String(repeating: "\t", count: indent + 1)
        var lines = ""
        for item in layout.items {
            switch item {
            case .member(let member):
                let width = member.bitFieldSize == 0 ? "" : ": \(member.bitFieldSize)"
                lines += tabs + declare(member.type, member.name, indent: indent + 1) + width + ";\n"
            case .padding(let type, let bits): lines += tabs + "\(type): \(bits);\n"
            case .opaque(let byteCount): lines += tabs + "char __opaque[\(byteCount)];\n"
            }
        }
        let attributes =
            layout.attributes.isEmpty ? "" : " __attribute__((\(layout.attributes.joined(separator: ", "))))"
        return tag + " {\n" + lines + String(repeating: "\t", count: indent) + "}" + attributes
    }

    private func body(ofEnum id: TypeID, indent: Int) -> String {
        guard case .enumeration(let enumeration) = btf[id] else { return "" }
        let tabs = String(repeating: "\t", count: indent)
        var lines = ""
        for (index, item) in enumeration.values.enumerated() {
            let name = names.enumerator(id, index) ?? item.name
            let number =
                enumeration.isSigned
                ? "\(Int64(bitPattern: item.value))"
                : "\(item.value)" + (item.value > UInt64(UInt32.max) ? "ULL" : "")
            // C has no literal for the lowest number.
            lines +=
                tabs + "\t\(name) = " + (number == "\(Int64.min)" ? "(-9223372036854775807LL - 1)" : number)
                + ",\n"
        }
        // Without this, C chooses the size from the values.
        let mode =
            [1: "byte", 2: "HI", 8: "DI"][enumeration.byteCount].map { " __attribute__((mode(\($0))))" } ?? ""
        return tagText(of: id).trimmedEnd + " {\n" + lines + tabs + "}" + mode
    }

    // MARK: Kfuncs

    private mutating func declareFunction(_ function: BTFFunction) -> String {
        guard case .prototype(let prototype) = btf[function.prototype] else { return "" }
        var parameters = prototype.parameters.map { declare($0.type, $0.name) }
        if prototype.isVariadic { parameters.append("...") }
        let list = parameters.isEmpty ? "void" : parameters.joined(separator: ", ")
        return declare(prototype.result, "\(function.name)(\(list))")
    }

    /// Prototypes of what programs may call, guarded as bpftool guards them.
    private mutating func kfuncs() -> String {
        var lines: Set<String> = []
        for id in btf.ids(named: "bpf_kfunc") {
            guard case .declTag(_, let of, -1) = btf[id], case .function(let function) = btf[of] else {
                continue
            }
            lines.insert("extern " + declareFunction(function) + " __weak __ksym;\n")
        }
        guard !lines.isEmpty else { return "" }
        return """
            #ifndef BPF_NO_KFUNC_PROTOTYPES
            #ifndef __ksym
            #define __ksym __attribute__((section(".ksyms")))
            #endif

            #ifndef __weak
            #define __weak __attribute__((weak))
            #endif

            \(lines.sorted().joined())#endif


            """
    }
}

extension String {
    fileprivate var trimmedEnd: String { hasSuffix(" ") ? String(dropLast()) : self }
}
