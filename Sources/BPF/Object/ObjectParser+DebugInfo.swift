/// `.BTF.ext`: which FUNC a function is, its source lines, its CO-RE records.
extension ObjectParser {
    mutating func collectDebugInfo() throws(ObjectError) {
    }
}
