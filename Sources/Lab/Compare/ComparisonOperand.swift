package import ControlAPI
import Netsim

/// One side of a comparison: the figures of some runs of the same thing, or of a sweep's points.
package struct ComparisonOperand: Sendable {
    package struct Key: Hashable, Comparable, Sendable {
        package var place: [String]
        package var figure: String

        package static func < (a: Key, b: Key) -> Bool {
            a.place == b.place ? a.figure < b.figure : a.place.lexicographicallyPrecedes(b.place)
        }
    }

    package let name: String
    package private(set) var samples: [Key: Sample] = [:]
    package private(set) var units: [String: String] = [:]

    /// - Parameter results: result objects of `sim run`, of one scenario with one or several seeds.
    package init(name: String, results: [JSONValue]) {
        self.name = name
        var values: [Key: [Double]] = [:]
        for result in results {
            for figure in SweepFigures.ofFlows(result) {
                values[Key(place: [], figure: figure.name), default: []].append(figure.value)
                units[figure.name] = figure.unit
            }
        }
        samples = values.mapValues(Sample.init)
    }

    package init(name: String, sweep: SweepDatabase) throws(Refusal) {
        self.name = name
        let summary = try SweepSummary(sweep)
        for group in summary.groups {
            let place = zip(summary.axes, group.parameters).map { "\($0.name) = \($1)" } + [group.algorithm]
            for (metric, sample) in group.samples {
                samples[Key(place: place, figure: summary.metrics[metric].name)] = sample
            }
        }
        for metric in summary.metrics { units[metric.name] = metric.unit }
    }
}
