import ControlAPI
import Foundation

/// As much of JSON Schema (2020-12) as docs/result.schema.json uses.
struct JSONSchema {
    private let root: JSONValue

    init(contentsOf url: URL) throws {
        root = try JSONValue(parsing: [UInt8](try Data(contentsOf: url)), limits: .reply)
    }

    /// What is wrong with a value, one line each; also members that the schema does not know, which it allows.
    func problems(with value: JSONValue) -> [String] { problems(value, root, "") }

    private func problems(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
        if let reference = schema["$ref"]?.string {
            let name = String(reference.split(separator: "/").last ?? "")
            guard let target = root["$defs"]?[name] else { return ["\(path): no definition '\(name)'"] }
            return problems(value, target, path)
        }
        var found: [String] = []
        if let expected = schema["const"], expected != value { found.append("\(path): not \(expected)") }
        if let type = schema["type"] {
            let types = type.array?.compactMap(\.string) ?? [type.string ?? ""]
            if !types.contains(where: { Self.isOf($0, value) }) { found.append("\(path): no \(types)") }
        }
        if let number = Self.number(value) {
            if let least = Self.number(schema["minimum"]), number < least {
                found.append("\(path): < \(least)")
            }
            if let most = Self.number(schema["maximum"]), number > most { found.append("\(path): > \(most)") }
        }
        if case .string(let text) = value, let pattern = schema["pattern"]?.string,
            text.range(of: pattern, options: .regularExpression) == nil
        {
            found.append("\(path): '\(text)' is not \(pattern)")
        }
        if case .array(let items) = value, let schema = schema["items"] {
            for (index, item) in items.enumerated() { found += problems(item, schema, "\(path)[\(index)]") }
        }
        if case .object(let members) = value { found += problems(members, schema, path) }
        return found
    }

    private func problems(_ members: [JSONValue.Member], _ schema: JSONValue, _ path: String) -> [String] {
        var found: [String] = []
        for required in (schema["required"]?.array ?? []).compactMap(\.string)
        where !members.contains(where: { $0.name == required }) {
            found.append("\(path): '\(required)' is missing")
        }
        for member in members {
            let schema = schema["properties"]?[member.name] ?? schema["additionalProperties"]
            guard let schema else {
                found.append("\(path): '\(member.name)' is not described")
                continue
            }
            found += problems(member.value, schema, "\(path).\(member.name)")
        }
        return found
    }

    private static func isOf(_ type: String, _ value: JSONValue) -> Bool {
        switch (type, value) {
        case ("object", .object), ("array", .array), ("string", .string), ("boolean", .bool), ("null", .null),
            ("integer", .integer), ("number", .integer), ("number", .double):
            true
        default: false
        }
    }

    private static func number(_ value: JSONValue?) -> Double? {
        switch value {
        case .integer(let number)?: Double(number)
        case .double(let number)?: number
        default: nil
        }
    }
}
