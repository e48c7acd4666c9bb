/// One simulation as its file describes it: a value, checked, with every default filled in.
package struct Scenario: Equatable, Sendable {
    package var name: String
    package var seed: UInt64
    /// Nanoseconds, as all times here.
    package var duration: Int64
    package var links: [LinkSpec]
    package var flows: [FlowSpec]
    package var host: HostSettings
    /// Step of the time series; nil: `record: off`.
    package var recordInterval: Int64?

    package struct LinkSpec: Equatable, Sendable {
        package var name: String
        package var rate: [RateStep]
        package var delay: Int64
        package var bufferBytes: UInt64
        package var markBytes: UInt64?
        /// Probability.
        package var loss: Double
        package var outageFrom: Int64?
        package var outageTo: Int64?
    }

    package struct RateStep: Equatable, Sendable {
        package var at: Int64
        package var bitsPerSecond: UInt64
    }

    package enum AppSpec: Equatable, Sendable {
        case bulk
        case transfer(bytes: UInt64, count: UInt32, gap: Int64)
        case write(bytes: UInt64, every: Int64)
    }

    /// One entry of `flows:`; it stands for `count` flows.
    package struct FlowSpec: Equatable, Sendable {
        package var name: String
        package var count: Int
        /// Ops names.
        package var cc: String
        package var receiverCC: String
        /// Indices of links, in order.
        package var path: [Int]
        /// All one-way delays and the way back.
        package var rtt: Int64
        package var start: Int64
        package var stop: Int64
        package var ecn: Bool
        package var app: AppSpec
    }

    /// Ops names that flows use, in order of first use.
    package var controlNames: [String] {
        var names: [String] = []
        for flow in flows {
            for name in [flow.cc, flow.receiverCC] where !names.contains(name) { names.append(name) }
        }
        return names
    }

    package var flowCount: Int { flows.reduce(0) { $0 + $1.count } }

    /// What one scenario may ask for; beyond that it is refused.
    package enum Limit {
        package static let bytes = 1 << 20
        package static let links = 1000
        package static let flows = 100_000
        package static let hops = 16
        package static let duration: Int64 = 86_400 * 1_000_000_000
        package static let rate: UInt64 = 100_000_000_000
        package static let rateSteps = 1000
        package static let size: UInt64 = 1 << 50
        package static let recordedValues = 8_000_000
    }

    /// Ops names of the congestion controls that need no registration.
    package static var builtinControls: [String] { ControlTable.builtinNames }
}
