/// A program did something that no verified program may do: a defect of the verifier, or of an image that was never
/// verified.
package struct InterpreterFault: Error, Equatable, CustomStringConvertible {
    package enum Rule: String, Sendable {
        case uninitialisedRegister = "uninitialised register"
        case uninitialisedStack = "uninitialised stack"
        case notAPointer = "not a pointer"
        case outOfBounds = "out of bounds"
        case readOnly = "read-only memory"
        case dangling = "dangling pointer"
        case specialField = "field of the machinery"
        case argument
        case lock
        case reference
        case section
        case stack = "call depth"
        case steps = "bound"
        case poisoned
        case unreachable = "judged unreachable"
        case unknownCall = "unknown call"
        case badInstruction = "bad instruction"
    }

    package var rule: Rule
    /// Index of the instruction in the image.
    package var insn: Int
    /// What was seen and what was expected, with values.
    package var text: String

    package init(_ rule: Rule, insn: Int, _ text: String) {
        self.rule = rule
        self.insn = insn
        self.text = text
    }

    package var description: String { "insn \(insn): \(rule.rawValue): \(text)" }
}
