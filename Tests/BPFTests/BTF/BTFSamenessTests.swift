import Testing

@testable import BPF

/// The names of some variables may differ, and nothing else.
struct BTFSamenessTests {
    /// `struct S { int field; }`, and a variable of it.
    private func types(
        structure: String = "state", field: String = "field", variable: String = "cubic_a", offset: Int = 0
    ) throws -> (types: BTF, variable: TypeID) {
        var builder = BTFBuilder()
        let int = builder.int("int", byteCount: 4, isSigned: true)
        let structure = builder.structure(structure, byteCount: 8, [(field, int, offset)])
        let id = builder.add(.variable(BTFVariable(name: variable, type: structure, linkage: .global)))
        return (try builder.build(), id)
    }

    @Test("variables may have other names of the same length")
    func names() throws {
        let (left, variable) = try types()
        let right = try types(variable: "cubic_b").types
        #expect(left.isSame(as: right, apartFromNamesOf: [variable]))
        #expect(!left.isSame(as: right, apartFromNamesOf: []))
        #expect(!left.isSame(as: try types(variable: "cubic_long").types, apartFromNamesOf: [variable]))
        #expect(left.isSame(as: try types().types, apartFromNamesOf: []))
    }

    @Test("types and members may not")
    func others() throws {
        let (left, variable) = try types()
        for right in [
            try types(structure: "stats"), try types(field: "filed"), try types(offset: 4),
            try types(structure: "stats", variable: "cubic_b"),
        ] {
            #expect(!left.isSame(as: right.types, apartFromNamesOf: [variable]))
        }
    }

    @Test("nor may what has its name in common with the variable, or a tail of it")
    func shared() throws {
        let (left, variable) = try types(structure: "spin_lock", variable: "spin_lock")
        let right = try types(structure: "spim_lock", variable: "spim_lock").types
        #expect(left.storage.words == right.storage.words)
        #expect(!left.isSame(as: right, apartFromNamesOf: [variable]))

        let first = try BTF(parsing: tailed("a_lock")), second = try BTF(parsing: tailed("a_lick"))
        #expect(first.composite(named: "lock") != nil && second.composite(named: "lick") != nil)
        #expect(!first.isSame(as: second, apartFromNamesOf: [TypeID(2)]))
        #expect(first.isSame(as: second, apartFromNamesOf: [TypeID(1), TypeID(2)]))
    }

    /// A struct, 1, that is called as the last four letters of a variable, 2. Compilers may share names like this, our
    /// encoder does not.
    private func tailed(_ name: String) throws -> [UInt8] {
        var builder = BTFBuilder()
        let structure = builder.structure("", byteCount: 0, [])
        _ = builder.add(.variable(BTFVariable(name: name, type: structure, linkage: .global)))
        var bytes = try builder.encoded()
        // Behind the header of 24 bytes a record begins with its name's offset; the variable's is 1.
        bytes[24] = UInt8(1 + name.utf8.count - 4)
        return bytes
    }
}
