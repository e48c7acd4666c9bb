/// A struct of the kernel as programs see it: which bytes they may read and write, and what a read yields.
///
/// The bytes are not those of the kernel's struct: the kernel rewrites each access (`convert_ctx_access`). So what is
/// allowed is not what a layout says but what that rewriting knows; the tables record what Linux 6.18 accepts, byte by
/// byte.
package struct StructView: Sendable {
    /// C name, for messages: `__sk_buff`.
    package let name: String
    package let fields: [Field]

    init(_ name: String, _ fields: [Field]) {
        self.name = name
        self.fields = fields
    }

    /// A field, or a run of fields with the same rules.
    package struct Field: Sendable {
        let range: Range<Int>
        /// Of each field of the run; reads stay inside one.
        let byteCount: Int
        var value = Value.number
        var narrow = Narrow.no
        var write = Write.no
        var isReadable = true
    }

    package enum Value: Equatable, Sendable {
        case number
        /// First byte of the packet, of what precedes it, and the end.
        case packet, packetMeta, packetEnd
        /// Another struct.
        case view(StructViews.ID, maybeNull: Bool)
        /// A trusted object of this struct of the kernel's BTF.
        case object(String)
        /// A `struct bpf_flow_keys`, to be filled in.
        case flowKeys
        /// Memory of a size that only who attaches the program knows.
        case tracepointBuffer
    }

    /// Reads of less than the field.
    package enum Narrow: Sendable {
        case no
        /// From its first byte.
        case start
        /// Any aligned part.
        case parts
    }

    package enum Write: Sendable {
        case no
        case whole
        /// Any aligned part of at least this many bytes.
        case parts(Int)
    }

    /// What an access of `byteCount` bytes at `offset` yields; nil if it is not allowed.
    func field(at offset: Int, byteCount: Int, isWrite: Bool) -> Field? {
        guard offset >= 0, offset % byteCount == 0 else { return nil }
        return fields.first { $0.range.contains(offset) && $0.allows(offset, byteCount, isWrite: isWrite) }
    }

    /// Whether the byte belongs to a field that can be read some way.
    func hasField(at offset: Int) -> Bool { fields.contains { $0.range.contains(offset) } }
}

extension StructView.Field {
    fileprivate func allows(_ offset: Int, _ byteCount: Int, isWrite: Bool) -> Bool {
        let inside = (offset - range.lowerBound) % self.byteCount
        guard inside + byteCount <= self.byteCount else { return false }
        if isWrite {
            switch write {
            case .no: return false
            case .whole: return byteCount == self.byteCount
            case .parts(let least): return byteCount >= least
            }
        }
        guard isReadable else { return false }
        if byteCount == self.byteCount { return true }
        switch narrow {
        case .no: return false
        case .start: return inside == 0
        case .parts: return true
        }
    }

    /// Numbers of `each` bytes in `range`.
    static func numbers(
        _ range: Range<Int>, each: Int = 4, _ narrow: StructView.Narrow = .no, write: StructView.Write = .no
    ) -> StructView.Field {
        StructView.Field(range: range, byteCount: each, narrow: narrow, write: write)
    }

    /// One 4-byte number that can be read in parts.
    static func number(_ offset: Int, write: StructView.Write = .no) -> StructView.Field {
        numbers(offset..<offset + 4, .parts, write: write)
    }

    static func pointer(_ offset: Int, _ value: StructView.Value, byteCount: Int = 8) -> StructView.Field {
        StructView.Field(range: offset..<offset + byteCount, byteCount: byteCount, value: value)
    }
}
