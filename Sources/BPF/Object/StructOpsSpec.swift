/// A variable of a `.struct_ops` section: becomes a struct_ops map of one element.
package struct StructOpsSpec: Sendable {
    /// The C variable. bpftool and the kernel show 15 bytes of it.
    package var name: String
    /// `.struct_ops`, `.struct_ops.link`, or one of them after `?`.
    package var section: String
    /// VAR in the object's BTF.
    package var id: TypeID
    /// The local struct, modifiers followed.
    package var type: TypeID
    package var typeName: String
    /// The initialiser, as long as the struct; function pointers are zero here.
    package var bytes: [UInt8]
    package var programs: [StructOpsProgram]

    package var isLink: Bool { section.hasSuffix(".link") }
    /// `?` sections are created only when asked for.
    package var autocreate: Bool { !section.hasPrefix("?") }
}

/// A function pointer member and the program that its initialiser names.
package struct StructOpsProgram: Equatable, Sendable {
    package var member: String
    /// Of the member, in the local struct.
    package var byteOffset: Int
    /// Index into `ObjectSpec.functions`.
    package var function: Int
}
