/// One entry to make: a C function of a func model in front of a program's body, for one instance.
@unsafe
package struct EntryRequest {
    /// How the program takes its arguments.
    package enum Kind: Equatable, Sendable {
        /// R1 points to an array of 8-byte slots, one per argument, on the entry's frame. What struct_ops programs see.
        case context
        /// R1…R5 are the arguments themselves, at most 5.
        case registers
    }

    package var model: FuncModel
    /// From `CodeUnit.body`, whose unit must outlive the entry.
    package var body: UnsafeRawPointer
    /// Starts with `struct ops_block`; must outlive the entry.
    package var block: UnsafeMutableRawPointer
    package var kind: Kind
    /// What the body wants set up; from `CompiledProgram.needs`.
    package var needs: BodyNeeds
    /// Which argument of `model` stands in each slot; nil: all in order. For programs of a kernel whose prototype has
    /// fewer arguments than the host's.
    package var slots: [Int]?
    /// The program's machine code, for an entry that holds a copy of it in place of a jump to `body`, if it is short;
    /// empty: none. Code is position-independent.
    package var code: [UInt8]

    package init(
        model: FuncModel, body: UnsafeRawPointer, block: UnsafeMutableRawPointer, kind: Kind,
        needs: BodyNeeds = .all, slots: [Int]? = nil, code: [UInt8] = []
    ) {
        unsafe self.model = model
        unsafe self.body = body
        unsafe self.block = block
        unsafe self.kind = kind
        unsafe self.needs = needs
        unsafe self.slots = slots
        // A copy would have its entry's name: who looks for an op by name wants the program itself to run.
        unsafe self.code = CodeTools.requested.tools.isEmpty ? code : []
    }
}

extension EntryRequest {
    /// - Throws: what no processor's entry can have.
    func check() throws(EntryError) {
        let count = unsafe model.arguments.count
        let limit = unsafe kind == .registers ? 5 : FuncModel.argumentCountMax
        guard count <= limit else { throw .tooManyArguments(count: count, limit: limit) }
        let slots = unsafe slots ?? []
        guard slots.count <= FuncModel.argumentCountMax else {
            throw .tooManyArguments(count: slots.count, limit: FuncModel.argumentCountMax)
        }
        for argument in slots where !(0..<count).contains(argument) {
            throw .badSlot(argument: argument, count: count)
        }
        let values = unsafe model.arguments + (model.result.map { [$0] } ?? [])
        for value in values where ![1, 2, 4, 8].contains(value.byteCount) {
            throw .badWidth(byteCount: value.byteCount)
        }
    }
}

extension FuncModel.Value {
    /// Whether a full register can hold something that no value of the type is.
    var needsNarrowing: Bool { isBool || byteCount < 8 }
}

/// Why an entry could not be made.
package enum EntryError: Error, Equatable, CustomStringConvertible {
    case tooManyArguments(count: Int, limit: Int)
    /// A slot names an argument that the model does not have.
    case badSlot(argument: Int, count: Int)
    /// Widths are 1, 2, 4 and 8 bytes.
    case badWidth(byteCount: Int)
    case memory(CodeMemoryError)

    package var description: String {
        switch self {
        case .tooManyArguments(let count, let limit): "entry: \(count) arguments, at most \(limit)"
        case .badSlot(let argument, let count): "entry: a slot takes argument \(argument) of \(count)"
        case .badWidth(let byteCount): "entry: a value of \(byteCount) bytes, not 1, 2, 4 or 8"
        case .memory(let error): "entry: \(error)"
        }
    }
}
