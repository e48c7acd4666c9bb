import ControlAPI
import Foundation
import OpsHost
import Testing

@Suite("Schema of results") struct ResultSchemaTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static func schema() throws -> JSONSchema {
        try JSONSchema(contentsOf: root.appending(path: "docs/result.schema.json"))
    }

    static func result(_ text: String, timing: Bool = false) throws -> JSONValue {
        let host = try RuntimeHost()
        return try host.simulate(try host.scenario(text, file: "s.yaml"), timing: timing) { _ in true }
    }

    /// With every member that a result can have, but those of registrations.
    static let everything = """
        name: everything
        seed: 3
        duration: 2s
        links:
          one: {rate: 20Mbit, delay: 5ms, buffer: 30p, loss: 1%}
          two: {rate: 15Mbit, delay: 5ms, buffer: 40p, mark: 15p}
        flows:
          - {name: a, count: 2, cc: cubic, path: [one, two], rtt: 30ms}
          - {name: b, cc: reno, path: [one], rtt: 20ms, app: {transfer: 20kB, count: 20, gap: 5ms}}
          - {name: c, cc: bbr, path: [two], rtt: 20ms, app: {poisson: 50ms, size: 20kB}}
        cross: [{name: x, path: [two], rate: 1Mbit}]
        record: {interval: 50ms}
        """

    @Test("results are what the schema says, and it knows every member", arguments: [false, true])
    func describes(timing: Bool) throws {
        let schema = try Self.schema()
        let result = try Self.result(Self.everything, timing: timing)
        #expect(schema.problems(with: result) == [])
        let bare = Self.everything.replacing("{interval: 50ms}", with: "off")
        #expect(schema.problems(with: try Self.result(bare)) == [])
        #expect(result["schema_version"] == 1)
    }

    @Test("it tells what is wrong with others")
    func refuses() throws {
        let schema = try Self.schema()
        let empty = schema.problems(with: [:])
        #expect(empty.contains(": 'flows' is missing") && empty.contains(": 'schema_version' is missing"))
        let bad = schema.problems(with: [
            "schema_version": 2, "seed": -1, "flows": [["name": 5]], "new": 1,
            "object_sha256": ["bpf_cubic": "abc"],
        ])
        for text in [
            ".schema_version: not", ".seed: < 0.0", ".flows[0].name: no", "'new' is not described",
            ".object_sha256.bpf_cubic: 'abc' is not",
        ] {
            #expect(bad.contains { $0.contains(text) }, "\(text)")
        }
    }
}
