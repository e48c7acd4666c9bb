extension BTF {
    /// Every own type, one after the other, as `bpftool btf dump format raw` prints them.
    package func dumpRaw() -> String {
        var text = ""
        for index in storage.firstID..<count { text += rawText(of: TypeID(index)) }
        return text
    }

    /// One type with its members, each line ended: `[12] STRUCT 'x' size=192 vlen=18`.
    package func rawText(of id: TypeID) -> String {
        let type = self[id]
        guard let kind = type.kind else { return "" }
        let head = "[\(id.rawValue)] \(kind.name) \(quoted(type.name))"
        switch type {
        case .void: return ""
        case .int(let int):
            return head
                + " size=\(int.byteCount) bits_offset=\(int.bitOffset) nr_bits=\(int.bitCount) encoding=\(encoding(int))\n"
        case .pointer(let to): return head + " type_id=\(to.rawValue)\n"
        case .typedef(_, let of), .volatile(let of), .const(let of), .restrict(let of), .typeTag(_, let of):
            return head + " type_id=\(of.rawValue)\n"
        case .array(let array):
            return head
                + " type_id=\(array.element.rawValue) index_type_id=\(array.index.rawValue) nr_elems=\(array.count)\n"
        case .composite(let composite):
            let members = composite.members.map { member in
                let width = member.bitFieldSize == 0 ? "" : " bitfield_size=\(member.bitFieldSize)"
                return
                    "\t\(quoted(member.name)) type_id=\(member.type.rawValue) bits_offset=\(member.bitOffset)\(width)\n"
            }
            return head + " size=\(composite.byteCount) vlen=\(members.count)\n" + members.joined()
        case .enumeration(let enumeration): return head + rawText(of: enumeration)
        case .forward(_, let isUnion): return head + " fwd_kind=\(isUnion ? "union" : "struct")\n"
        case .function(let function):
            return head + " type_id=\(function.prototype.rawValue) linkage=\(function.linkage)\n"
        case .prototype(let prototype):
            var parameters = prototype.parameters.map { "\t\(quoted($0.name)) type_id=\($0.type.rawValue)\n" }
            if prototype.isVariadic { parameters.append("\t'(anon)' type_id=0\n") }
            return head + " ret_type_id=\(prototype.result.rawValue) vlen=\(parameters.count)\n"
                + parameters.joined()
        case .variable(let variable):
            return head + " type_id=\(variable.type.rawValue), linkage=\(variable.linkage)\n"
        case .dataSection(let section):
            let entries = section.entries.map { entry in
                let what = self[entry.variable]
                return "\ttype_id=\(entry.variable.rawValue) offset=\(entry.offset) size=\(entry.byteCount)"
                    + " (\(what.kind?.name ?? "void") \(quoted(what.name)))\n"
            }
            return head + " size=\(section.byteCount) vlen=\(entries.count)\n" + entries.joined()
        case .float(_, let byteCount): return head + " size=\(byteCount)\n"
        case .declTag(_, let of, let componentIndex):
            return head + " type_id=\(of.rawValue) component_idx=\(componentIndex)\n"
        }
    }

    private func rawText(of enumeration: BTFEnum) -> String {
        let values = enumeration.values.map { item in
            let number = enumeration.isSigned ? "\(Int64(bitPattern: item.value))" : "\(item.value)"
            let suffix = !enumeration.is64 ? "" : enumeration.isSigned ? "LL" : "ULL"
            return "\t\(quoted(item.name)) val=\(number)\(suffix)\n"
        }
        return " encoding=\(enumeration.isSigned ? "SIGNED" : "UNSIGNED") size=\(enumeration.byteCount)"
            + " vlen=\(values.count)\n" + values.joined()
    }

    private func quoted(_ name: String?) -> String {
        name.map { $0.isEmpty ? "'(anon)'" : "'\($0)'" } ?? "'(anon)'"
    }

    private func encoding(_ int: BTFInt) -> String {
        int.isSigned ? "SIGNED" : int.isChar ? "CHAR" : int.isBool ? "BOOL" : "(none)"
    }
}
