import BPF

extension ProgramImage {
    /// A global variable, or a field of a map's value.
    struct Variable {
        var name: String
        /// Of an array.
        var elementCount: Int?
    }

    /// What lies at a byte of a map's value: of `.data` and its like, the global variable that the object's BTF puts there.
    func variable(inMap map: Int, at offset: Int) -> Variable? {
        guard let btf, maps.indices.contains(map), let section = maps[map].name.lastIndex(of: ".") else {
            return nil
        }
        for id in btf.ids(named: String(maps[map].name[section...])) {
            guard case .dataSection(let data) = btf[id] else { continue }
            for entry in data.entries where entry.offset <= offset && offset < entry.offset + entry.byteCount
            {
                guard case .variable(let variable) = btf[entry.variable] else { continue }
                var count: Int?
                if offset == entry.offset, case .array(let array) = btf.resolved(variable.type) {
                    count = array.count
                }
                return Variable(name: variable.name, elementCount: count)
            }
        }
        return nil
    }
}
