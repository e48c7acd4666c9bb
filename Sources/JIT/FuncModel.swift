/// The C shape of a struct_ops member: what an entry takes and returns. Kernel counterpart: `struct btf_func_model`.
package struct FuncModel: Equatable, Hashable, Sendable {
    /// A scalar or pointer of 1, 2, 4 or 8 bytes.
    package struct Value: Equatable, Hashable, Sendable {
        package var byteCount: Int
        package var isSigned: Bool
        package var isBool: Bool

        package init(byteCount: Int, isSigned: Bool = false, isBool: Bool = false) {
            self.byteCount = byteCount
            self.isSigned = isSigned
            self.isBool = isBool
        }
        package static let pointer = Value(byteCount: 8)
    }
    /// At most 12.
    package var arguments: [Value]
    /// nil: void.
    package var result: Value?

    package init(arguments: [Value], result: Value?) {
        self.arguments = arguments
        self.result = result
    }
    package static let argumentCountMax = 12
}
