package import ControlAPI

/// Means over the seeds, per point and algorithm.
package struct SweepSummary: Sendable {
    package struct Group: Sendable {
        package var parameters: [String]
        package var algorithm: String
        /// Runs that failed, which are in no mean.
        package var failed: Int
        /// By index of `metrics`.
        package var samples: [Int: Sample]
    }

    package let axes: [SweepDatabase.AxisInfo]
    package let metrics: [SweepDatabase.MetricInfo]
    /// Sorted by point and algorithm.
    package let groups: [Group]

    package init(_ database: SweepDatabase) throws(Refusal) {
        axes = try database.axes()
        metrics = try database.metrics()
        struct Key: Hashable, Comparable {
            var point: Int
            var algorithm: String

            static func < (a: Key, b: Key) -> Bool { (a.point, a.algorithm) < (b.point, b.algorithm) }
        }
        var parameters: [Int: [String]] = [:]
        var failed: [Key: Int] = [:]
        var values: [Key: [Int: [Double]]] = [:]
        try database.forEachRow { row in
            let key = Key(point: row.point, algorithm: row.algorithm)
            parameters[row.point] = row.parameters
            failed[key, default: 0] += row.error == nil ? 0 : 1
            for (metric, value) in row.figures {
                values[key, default: [:]][metric, default: []].append(value)
            }
        }
        groups = failed.keys.sorted().map { key in
            Group(
                parameters: parameters[key.point] ?? [], algorithm: key.algorithm, failed: failed[key] ?? 0,
                samples: (values[key] ?? [:]).mapValues(Sample.init))
        }
    }

    package var json: JSONValue {
        [
            "axes": .array(axes.map { ["name": .string($0.name), "unit": .optional($0.unit)] }),
            "metrics": .array(metrics.map { ["name": .string($0.name), "unit": .string($0.unit)] }),
            "groups": .array(groups.map(json)),
        ]
    }

    private func json(_ group: Group) -> JSONValue {
        let figures = metrics.indices.compactMap { index in
            group.samples[index].map { JSONValue.Member(metrics[index].name, $0.json) }
        }
        return [
            "parameters": .object(zip(axes, group.parameters).map { .init($0.name, .string($1)) }),
            "algorithm": .string(group.algorithm), "failed": .integer(Int64(group.failed)),
            "figures": .object(figures),
        ]
    }
}

extension Sample {
    package var json: JSONValue {
        [
            "n": .integer(Int64(count)), "mean": .double(mean),
            "sd": deviation.map { .double($0) } ?? .null,
            "ci95": halfWidth95.map { .array([.double(mean - $0), .double(mean + $0)]) } ?? .null,
        ]
    }
}
