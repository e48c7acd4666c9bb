import Netsim
import OpsCore

/// A sweep file as it is written: a scenario and what to vary in it.
struct SweepFile {
    var name: String
    /// The scenario's tree, to be edited at every point. No series is recorded and nothing is expected of it.
    var base: YAMLNode
    /// Name of the scenario's file; nil: it stands in the sweep file.
    var scenarioFile: String?
    var axes: [Axis]
    var seeds: [UInt64]?
    var algorithms: Algorithms?
    var sample: Sample?

    struct Axis {
        var name: String
        /// Its key in the file.
        var key: ScenarioNode
        /// It sets an object's variable in every flow that has one, rather than a value of the scenario.
        var isParam: Bool
        var values: Values

        enum Values {
            case list([ScenarioNode])
            case range(SweepRange)
        }
    }

    struct Algorithms {
        var names: [String]
        /// Flows whose `cc` is replaced; nil: all.
        var flows: [String]?
        var node: ScenarioNode
    }

    struct Sample {
        var count: Int
        var seed: UInt64
        var node: ScenarioNode
    }

    enum Limit {
        static let axes = 16
        static let values = 10_000
        static let runs = 1_000_000
    }

    /// - Parameter readFile: the text of the scenario file that it names; nil: there is none.
    init(_ text: String, file: String, readFile: (String) -> String?) throws(OpsError) {
        let root = ScenarioNode(node: try YAMLNode.parse(text, file: file), path: "")
        let members = try root.mapping([
            "name", "scenario", "axes", "params", "seeds", "algorithms", "sample",
        ])
        guard let scenario = members["scenario"] else {
            throw root.refuse("scenario is missing", accepted: "scenario: FILE, or the scenario itself")
        }
        base = scenario.node
        if scenario.scalar != nil {
            let name = try scenario.title()
            guard let text = readFile(name) else {
                throw scenario.refuse("the file is not at hand", accepted: "a scenario beside the sweep file")
            }
            (base, scenarioFile) = (try YAMLNode.parse(text, file: name), name)
        }
        guard base.mapping != nil else {
            throw scenario.refuse("not a scenario", accepted: "FILE, or {duration: 30s, links: …, flows: …}")
        }
        for key in ["record", "expect"] { _ = base.set(key, to: nil) }
        name = try members["name"]?.title() ?? base["name"]?.scalar ?? "unnamed"
        axes = try Self.axes(members["axes"], isParam: false) + Self.axes(members["params"], isParam: true)
        seeds = try members["seeds"].map(Self.seeds)
        algorithms = try members["algorithms"].map(Self.algorithms)
        sample = try members["sample"].map(Self.sample)
    }

    // MARK: What is varied

    private static func axes(_ node: ScenarioNode?, isParam: Bool) throws(OpsError) -> [Axis] {
        guard let node else { return [] }
        var axes: [Axis] = []
        for (key, value) in try node.entries(limit: Limit.axes) {
            let name = isParam ? "params." + (try key.name()) : try key.title()
            if ["seed", "name", "record", "expect"].contains(name) {
                throw key.refuse(
                    "no axis", accepted: name == "seed" ? "seeds: 1..20, beside axes" : "links.…, flows.…")
            }
            axes.append(Axis(name: name, key: key, isParam: isParam, values: try values(value)))
        }
        return axes
    }

    private static func values(_ node: ScenarioNode) throws(OpsError) -> Axis.Values {
        guard node.isList else { return .range(try SweepRange(node)) }
        let values = try node.list(limit: Limit.values)
        guard !values.isEmpty else { throw node.refuse("there is no value", accepted: "at least one") }
        for (index, value) in values.enumerated()
        where values[..<index].contains(where: { $0.node.content == value.node.content }) {
            throw value.refuse("given twice", accepted: "distinct values")
        }
        return .list(values)
    }

    /// `1..20`, `7`, or a list; ascending, none twice. Up to 2^63 - 1: what SQLite's integers hold.
    private static func seeds(_ node: ScenarioNode) throws(OpsError) -> [UInt64] {
        let range: ClosedRange<UInt64> = 0...UInt64(Int64.max)
        if node.isList {
            var seeds: Set<UInt64> = []
            for entry in try node.list(limit: Limit.runs) { seeds.insert(try entry.integer(range)) }
            guard !seeds.isEmpty else { throw node.refuse("there is no seed", accepted: "at least one") }
            return seeds.sorted()
        }
        let ends = (node.scalar ?? "").split(separator: "..", omittingEmptySubsequences: false)
        guard ends.count == 2 else { return [try node.integer(range)] }
        guard let first = UInt64(ends[0]), let last = UInt64(ends[1]), first <= last, range.contains(last),
            last - first < Limit.runs
        else {
            throw node.refuse("not accepted", accepted: "1..20, 7, or a list of whole numbers")
        }
        return Array(first...last)
    }

    /// `[cubic, bpf_cubic]`, or `{flows: [a], cc: [cubic, bpf_cubic]}`.
    private static func algorithms(_ node: ScenarioNode) throws(OpsError) -> Algorithms {
        var (names, flows): (ScenarioNode, ScenarioNode?) = (node, nil)
        if !node.isList {
            let members = try node.mapping(["flows", "cc"])
            guard let cc = members["cc"] else {
                throw node.refuse("cc is missing", accepted: "{flows: [a], cc: [cubic, reno]}")
            }
            (names, flows) = (cc, members["flows"])
        }
        let all = Set(try Self.names(names)).sorted()
        return Algorithms(names: all, flows: try flows.map(Self.names), node: node)
    }

    private static func names(_ node: ScenarioNode) throws(OpsError) -> [String] {
        var names: [String] = []
        for entry in try node.list(limit: 1000) { names.append(try entry.name()) }
        guard !names.isEmpty else { throw node.refuse("the list is empty", accepted: "at least one name") }
        return names
    }

    /// `200`, or `{count: 200, seed: 1}`.
    private static func sample(_ node: ScenarioNode) throws(OpsError) -> Sample {
        let range = 1...UInt64(Limit.runs)
        guard node.isMapping else { return Sample(count: Int(try node.integer(range)), seed: 1, node: node) }
        let members = try node.mapping(["count", "seed"])
        guard let count = members["count"] else {
            throw node.refuse("count is missing", accepted: "{count: 200, seed: 1}")
        }
        return Sample(
            count: Int(try count.integer(range)), seed: try members["seed"]?.integer(0...UInt64.max) ?? 1,
            node: node)
    }
}
