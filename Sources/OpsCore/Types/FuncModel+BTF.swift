package import BPF
package import JIT

extension FuncModel {
    /// The C shape of a FUNC_PROTO. Kernel counterpart: `btf_distill_func_proto`.
    ///
    /// - Throws: EOPNOTSUPP for a result wider than 8 bytes or a pointer to something that is no struct; EINVAL for more
    ///   than 12 arguments, `...`, or a struct by value.
    package init(prototype: BTFPrototype, in btf: BTF) throws(OpsError) {
        if let target = btf.pointee(of: prototype.result) {
            guard case .composite = btf[target] else {
                throw FuncModel.refused(
                    OpsError.eopnotsupp, "returns a pointer to something that is not a struct")
            }
        }
        if let byteCount = btf.byteCount(of: prototype.result), byteCount > 8 {
            throw FuncModel.refused(
                OpsError.eopnotsupp, "returns \(byteCount) bytes, at most 8 fit in a register")
        }
        guard !prototype.isVariadic else {
            throw FuncModel.refused(OpsError.einval, "takes a variable number of arguments")
        }
        guard prototype.parameters.count <= FuncModel.argumentCountMax else {
            throw FuncModel.refused(
                OpsError.einval,
                "takes \(prototype.parameters.count) arguments, at most \(FuncModel.argumentCountMax) are supported"
            )
        }
        let result: Value? =
            btf.resolved(prototype.result) == .void
            ? nil : try FuncModel.value(of: prototype.result, in: btf, what: "its result")
        var arguments: [Value] = []
        for (index, parameter) in prototype.parameters.enumerated() {
            let what = parameter.name.isEmpty ? "argument \(index + 1)" : "argument '\(parameter.name)'"
            arguments.append(try FuncModel.value(of: parameter.type, in: btf, what: what))
        }
        self.init(arguments: arguments, result: result)
    }

    private static func value(of id: TypeID, in btf: BTF, what: String) throws(OpsError) -> Value {
        switch btf.resolved(id) {
        case .pointer: return .pointer
        case .int(let int) where [1, 2, 4, 8].contains(int.byteCount):
            return Value(byteCount: int.byteCount, isSigned: int.isSigned, isBool: int.isBool)
        case .enumeration(let enumeration) where [1, 2, 4, 8].contains(enumeration.byteCount):
            return Value(byteCount: enumeration.byteCount, isSigned: enumeration.isSigned)
        case .composite(let composite):
            throw refused(
                OpsError.einval,
                "\(what) is the \(composite.isUnion ? "union" : "struct") '\(composite.name)' by value")
        default:
            throw refused(OpsError.einval, "\(what) is neither an integer of up to 8 bytes nor a pointer")
        }
    }

    private static func refused(_ errno: CInt, _ reason: String) -> OpsError {
        OpsError("type", errno: errno, "function makes no func model", reason: reason)
    }
}
