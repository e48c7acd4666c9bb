package import BPF

/// The types that generated programs share with their callers.
///
/// ```c
/// struct node {
///     u64 number; struct node *next, *others[3]; u32 word; u16 half; s16 signed_half; u8 bytes[8]; s64 last;
/// };
/// struct words { u64 a, b; };
/// u64 member(struct node *node, u64 number, u32 word);                    // of a struct_ops type
/// u64 global(u64 a, u32 b, struct words *words);
/// u64 global_of_node(struct node *node, u64 a, struct words *words);      // node: __arg_trusted
/// ```
package enum GeneratedTypes {
    package static let nodeByteCount = 64
    /// Where a node points to others.
    package static let pointerOffsets = [8, 16, 24, 32]
    static let wordsByteCount = 16

    /// A member of `struct node` that is a number, or an array of bytes.
    struct Field {
        var offset: Int
        var byteCount: Int
        var isWritable = false
        /// A store may start at any byte of it.
        var isArray = false
    }
    static let fields = [
        Field(offset: 0, byteCount: 8, isWritable: true), Field(offset: 40, byteCount: 4, isWritable: true),
        Field(offset: 44, byteCount: 2), Field(offset: 46, byteCount: 2),
        Field(offset: 48, byteCount: 8, isWritable: true, isArray: true),
        Field(offset: 56, byteCount: 8, isWritable: true),
    ]

    package static let btf = made.btf
    static let node = made.node
    static let member = made.member
    static let global = made.global
    static let globalOfNode = made.globalOfNode

    private static let made: (btf: BTF, node: TypeID, member: TypeID, global: TypeID, globalOfNode: TypeID) =
        {
            var b = BTFBuilder()
            let u8 = b.int("unsigned char", byteCount: 1)
            let u16 = b.int("unsigned short", byteCount: 2)
            let s16 = b.int("short", byteCount: 2, isSigned: true)
            let u32 = b.int("unsigned int", byteCount: 4)
            let u64 = b.int("unsigned long", byteCount: 8)
            let s64 = b.int("long", byteCount: 8, isSigned: true)
            let node = b.reserve()
            let pointer = b.pointer(to: node)
            let others = b.array(of: pointer, count: 3, index: u32)
            let bytes = b.array(of: u8, count: 8, index: u32)
            let members: [(String, TypeID, Int)] = [
                ("number", u64, 0), ("next", pointer, 8), ("others", others, 16), ("word", u32, 40),
                ("half", u16, 44), ("signed_half", s16, 46), ("bytes", bytes, 48), ("last", s64, 56),
            ]
            b.set(
                node,
                to: .composite(
                    BTFComposite(
                        name: "node", isUnion: false, byteCount: nodeByteCount,
                        members: members.map { BTFMember(name: $0, type: $1, bitOffset: 8 * $2) })))
            let words = b.pointer(
                to: b.structure("words", byteCount: wordsByteCount, [("a", u64, 0), ("b", u64, 8)]))
            let member = b.prototype(result: u64, [("node", pointer), ("number", u64), ("word", u32)])
            let global = b.function(
                "global", b.prototype(result: u64, [("a", u64), ("b", u32), ("words", words)]))
            let globalOfNode = b.function(
                "global_of_node", b.prototype(result: u64, [("node", pointer), ("a", u64), ("words", words)]))
            _ = b.add(.declTag(name: "arg:trusted", of: globalOfNode, componentIndex: 0))
            do { return (try b.build(), node, member, global, globalOfNode) } catch {
                fatalError("the types of generated programs: \(error)")
            }
        }()
}
