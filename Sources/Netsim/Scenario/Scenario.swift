/// One simulation as its file describes it: a value, checked, with every default filled in.
package struct Scenario: Equatable, Sendable {
    package var name: String
    package var seed: UInt64
    /// Nanoseconds, as all times here.
    package var duration: Int64
    package var links: [LinkSpec]
    package var flows: [FlowSpec]
    package var cross: [CrossSpec] = []
    package var host: HostSettings
    /// Step of the time series; nil: `record: off`.
    package var recordInterval: Int64?
    /// What must hold of the result.
    package var expectations: [Expectation] = []
    /// By which figure congestion controls are ranked; nil: the scenario is not for that.
    package var grade: GradedFigure?

    package struct LinkSpec: Equatable, Sendable {
        package var name: String
        /// Of a trace: its mean.
        package var rate: [RateStep]
        /// Delivery opportunities of a Mahimahi trace, milliseconds.
        package var trace: [UInt32]?
        package var delay: Int64
        package var bufferBytes: UInt64
        package var markBytes: UInt64?
        package var queue = QueueSpec.dropTail
        package var loss = LossSpec.independent(probability: 0)
        /// Probability that a packet with payload comes twice.
        package var duplicate = 0.0
        /// Up to so much more delay, in order.
        package var jitter: Int64 = 0
        package var reorder: ReorderSpec?
        /// Ascending.
        package var outages: [Outage] = []
    }

    package enum QueueSpec: Equatable, Sendable {
        case dropTail
        case red(RED.Parameters)
        case pie(PIE.Parameters)
        case codel(CoDel.Parameters)
        case fqCodel(FQCoDel.Parameters)
    }

    package enum LossSpec: Equatable, Sendable {
        case independent(probability: Double)
        case burst(BurstLoss)
    }

    /// Probabilities per packet: to enter and leave the bad state, and of loss in either.
    package struct BurstLoss: Equatable, Sendable {
        package var enter: Double
        package var leave: Double
        package var bad = 1.0
        package var good = 0.0
    }

    /// A packet with payload is held back for `delay` with a probability.
    package struct ReorderSpec: Equatable, Sendable {
        package var probability: Double
        package var delay: Int64
    }

    package struct Outage: Equatable, Sendable {
        package var from: Int64
        package var to: Int64
    }

    package struct RateStep: Equatable, Sendable {
        package var at: Int64
        package var bitsPerSecond: UInt64
    }

    package enum AppSpec: Equatable, Sendable {
        case bulk
        case transfer(bytes: UInt64, count: UInt32, gap: Int64)
        case write(bytes: UInt64, every: Int64)
        /// Transfers that arrive at random, `interval` apart in the mean.
        case poisson(interval: Int64, size: SizeSpec)
    }

    /// Sizes of transfers or packets, bytes.
    package enum SizeSpec: Equatable, Sendable {
        case fixed(UInt64)
        case uniform(UInt64, UInt64)
        case exponential(mean: UInt64)
        /// Nothing below `low`, cut at `high`.
        case pareto(low: UInt64, shape: Double, high: UInt64)
        case choice([Share])

        package struct Share: Equatable, Sendable {
            package var probability: Double
            package var bytes: UInt64
        }
    }

    /// A source of packets that nothing holds back.
    package struct CrossSpec: Equatable, Sendable {
        package var name: String
        package var path: [Int]
        /// IP bits per second while it sends.
        package var rate: UInt64
        package var packet: SizeSpec
        package var start: Int64
        package var stop: Int64
        /// Lengths of bursts and pauses; nil: it sends all the time.
        package var on: Int64?
        package var off: Int64?
        /// They are exponentially distributed.
        package var isRandom = false
        /// Intervals between packets are.
        package var isPoisson = false
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
        /// Links that its ACKs cross, in order; the rest of the way back is pure delay.
        package var returnPath: [Int] = []
        /// All one-way delays and the way back.
        package var rtt: Int64
        package var start: Int64
        package var stop: Int64
        package var ecn: Bool
        package var app: AppSpec
        /// Values of the object's global variables, as text, by name.
        package var params: [String: String] = [:]
        /// The receiving socket has them too: `receiver_cc` is not given.
        package var receiverHasParams = true

        package var control: ControlSpec { ControlSpec(name: cc, params: params) }
        package var receiverControl: ControlSpec {
            ControlSpec(name: receiverCC, params: receiverHasParams ? params : [:])
        }
    }

    /// A congestion control as flows ask for it.
    package struct ControlSpec: Equatable, Sendable {
        /// The ops name.
        package var name: String
        package var params: [String: String]

        /// `bpf_cubic`, or `bpf_cubic{beta=717}`: one per world and set of values.
        package var key: String {
            guard !params.isEmpty else { return name }
            let values = params.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return name + "{" + values.joined(separator: ",") + "}"
        }
    }

    /// Ops names that flows use, in order of first use.
    package var controlNames: [String] {
        var names: [String] = []
        for flow in flows {
            for name in [flow.cc, flow.receiverCC] where !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// What flows use, each once, in order of first use.
    package var controls: [ControlSpec] {
        var all: [ControlSpec] = []
        for flow in flows {
            for control in [flow.control, flow.receiverControl] where !all.contains(control) {
                all.append(control)
            }
        }
        return all
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
        package static let params = 64
        package static let expectations = 1000
        package static let crossSources = 1000
        package static let rateSteps = 1000
        package static let outages = 1000
        package static let traceLines = 2_000_000
        package static let size: UInt64 = 1 << 50
        package static let recordedValues = 8_000_000
    }

    /// Stands in `cc:` for the congestion control that is to be tried.
    package static let openControl = "$CC"

    /// Ops names of the congestion controls that need no registration.
    package static var builtinControls: [String] { ControlTable.builtinNames }
}
