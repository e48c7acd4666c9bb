/// Transfers that arrive at random: a Poisson process whose connections are the flows of one entry of the scenario.
///
/// An arrival takes a flow that is idle, or waits for one; its completion time runs from its arrival in any case.
struct Arrivals {
    /// Numbers of the flows.
    let flows: Range<Int>
    private let mean: Nanoseconds
    private let size: Scenario.SizeSpec
    private let start: Nanoseconds
    private let stop: Nanoseconds
    private var random: SplitMix64
    private var idle: [Int]
    private var waiting: [Transfer] = []
    private var waitingHead = 0
    /// Sizes of each flow's finished transfers, in order.
    private(set) var finished: [[UInt64]]

    struct Transfer {
        var arrival: Nanoseconds
        var bytes: UInt64
    }

    init(
        _ flow: Scenario.FlowSpec, mean: Nanoseconds, size: Scenario.SizeSpec, firstFlow: Int, number: Int,
        seed: UInt64
    ) {
        flows = firstFlow..<firstFlow + flow.count
        self.mean = mean
        self.size = size
        (start, stop) = (flow.start, flow.stop)
        var seeds = SplitMix64.split(seed: seed, name: "arrivals")
        for _ in 0..<number { _ = seeds.next() }
        random = SplitMix64(seed: seeds.next())
        // The last one is taken first: flows are used in order.
        idle = flows.reversed()
        finished = Array(repeating: [], count: flow.count)
    }

    /// Time of the next arrival; nil if it is after the end.
    mutating func next(after now: Nanoseconds) -> Nanoseconds? {
        let time = max(now, start) &+ Variate.interval(mean: Double(mean), &random)
        return time < stop ? time : nil
    }

    /// A transfer arrives. - Returns: the flow that takes it.
    mutating func arrive(at now: Nanoseconds) -> (flow: Int, transfer: Transfer)? {
        let transfer = Transfer(arrival: now, bytes: Variate.size(size, &random))
        guard let flow = idle.popLast() else {
            waiting.append(transfer)
            return nil
        }
        return (flow, transfer)
    }

    /// A flow has finished its transfer. - Returns: the one that it takes next.
    mutating func finish(_ flow: Int, bytes: UInt64) -> Transfer? {
        finished[flow - flows.lowerBound].append(bytes)
        guard waitingHead < waiting.count else {
            idle.append(flow)
            return nil
        }
        waitingHead += 1
        return waiting[waitingHead - 1]
    }
}

extension Engine {
    func runArrivals(_ index: UInt32) {
        guard let sources = pointee.sources?.takeUnretainedValue() else { return }
        if let (flow, transfer) = sources.arrivals[Int(index)].arrive(at: pointee.now) {
            begin(transfer, on: flow)
        }
        if let next = sources.arrivals[Int(index)].next(after: pointee.now) {
            pointee.queue.push(at: next, .arrival, index)
        }
    }

    private func begin(_ transfer: Arrivals.Transfer, on flow: Int) {
        (pointee.flows + flow).pointee.application.begin(transfer)
        pointee.queue.push(at: pointee.now, .application, UInt32(flow))
    }

    /// A flow of `group` has completed its transfer.
    func finishArrival(_ flow: Flow, group: UInt32, bytes: UInt64) {
        guard let sources = pointee.sources?.takeUnretainedValue() else { return }
        let number = Int(flow.pointee.index)
        if let next = sources.arrivals[Int(group)].finish(number, bytes: bytes) { begin(next, on: number) }
    }
}

extension Application {
    /// A transfer that has arrived begins with the next application event.
    mutating func begin(_ transfer: Arrivals.Transfer) {
        kind = .transfer(bytes: transfer.bytes, count: .max, gap: 0)
        arrival = transfer.arrival
        step = .start
    }
}
