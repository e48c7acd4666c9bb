import Netsim
import OpsCore

/// One thing that a sweep varies.
package struct SweepAxis: Sendable {
    package struct Value: Sendable {
        package var text: String
        /// In the axis's unit; nil: it is no number.
        package var number: Double?
        var node: YAMLNode
    }

    /// A path into the scenario, or `params.NAME`.
    package var name: String
    /// Ascending if all are numbers of one kind, else in the file's order.
    package var values: [Value]
    /// `ms`, `bit/s`, `bytes`, or letters of the user's; nil: the values are not all numbers of one kind.
    package var unit: String?
    var isParam: Bool
    /// Where it stands.
    var key: ScenarioNode

    init(_ spec: SweepFile.Axis, _ nodes: [YAMLNode]) {
        (name, isParam, key) = (spec.name, spec.isParam, spec.key)
        let measures = nodes.map { $0.scalar.flatMap(Quantity.measure) }
        let units = Set(measures.map { $0?.unit })
        unit = units.count == 1 ? units.first.flatMap { $0 } : nil
        let isNumeric = unit != nil
        values = zip(nodes, measures).map { node, measure in
            Value(text: node.scalar ?? node.flowText, number: isNumeric ? measure?.value : nil, node: node)
        }
        if isNumeric { values.sort { ($0.number ?? 0, $0.text) < ($1.number ?? 0, $1.text) } }
    }
}

/// The points of a sweep: all combinations of its values, or some drawn at random.
struct SweepSpace {
    private let file: SweepFile

    init(_ file: SweepFile) { self.file = file }

    func points() throws(OpsError) -> ([SweepAxis], [[Int]]) {
        if let sample = file.sample { return try drawn(sample) }
        var axes: [SweepAxis] = []
        var points: [[Int]] = [[]]
        for spec in file.axes {
            let axis = SweepAxis(spec, try values(spec))
            guard points.count * axis.values.count <= SweepFile.Limit.runs else {
                throw spec.key.refuse(
                    "the grid is too large", accepted: "at most \(SweepFile.Limit.runs) points; 'sample: 200'"
                )
            }
            points = points.flatMap { point in axis.values.indices.map { point + [$0] } }
            axes.append(axis)
        }
        return (axes, points)
    }

    private func values(_ spec: SweepFile.Axis) throws(OpsError) -> [YAMLNode] {
        switch spec.values {
        case .list(let nodes): nodes.map(\.node)
        case .range(let range): try range.values()
        }
    }

    // MARK: Sampling

    /// Distinct points; each axis is drawn on its own: of a list or of steps one, of a range without steps anything.
    private func drawn(_ sample: SweepFile.Sample) throws(OpsError) -> ([SweepAxis], [[Int]]) {
        var sources: [(_ share: Double) -> YAMLNode] = []
        for spec in file.axes {
            if case .range(let range) = spec.values, range.steps == nil {
                sources.append(range.value)
            } else {
                let values = try values(spec)
                sources.append { values[min(Int($0 * Double(values.count)), values.count - 1)] }
            }
        }
        var random = SplitMix64(seed: sample.seed)
        var points: [[YAMLNode]] = []
        var seen: Set<[String]> = []
        var misses = 0
        while points.count < sample.count {
            let point = sources.map { $0(random.nextUnit()) }
            guard seen.insert(point.map(\.flowText)).inserted else {
                misses += 1
                guard misses < 1000 + 100 * sample.count else {
                    throw sample.node.refuse(
                        "there are not so many points", accepted: "\(points.count), or no 'sample:'")
                }
                continue
            }
            points.append(point)
        }
        return Self.indexed(file.axes, points)
    }

    private static func indexed(_ specs: [SweepFile.Axis], _ points: [[YAMLNode]]) -> ([SweepAxis], [[Int]]) {
        var axes: [SweepAxis] = []
        var indices = points.map { _ in [Int]() }
        for (number, spec) in specs.enumerated() {
            var byText: [String: YAMLNode] = [:]
            for point in points { byText[point[number].flowText] = point[number] }
            let axis = SweepAxis(spec, byText.sorted { $0.key < $1.key }.map(\.value))
            let index = Dictionary(
                axis.values.enumerated().map { ($1.node.flowText, $0) },
                uniquingKeysWith: { first, _ in first })
            for point in points.indices { indices[point].append(index[points[point][number].flowText] ?? 0) }
            axes.append(axis)
        }
        return (axes, indices.sorted { $0.lexicographicallyPrecedes($1) })
    }
}
