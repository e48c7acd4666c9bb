internal import CShim
internal import KernelABI
internal import OpsCore
internal import Verifier

/// What the programs of one registration have taken in one world, and their last calls.
///
/// It stands at one place as long as the world knows the registration: attachments point to it. An ordinary call adds one
/// number and writes one record here; all else is off its way.
struct ProgramAccount {
    static let callsKept = 16

    /// The instance block whose clocks are set before each call.
    let block: UnsafeMutablePointer<ops_block>
    /// Which entry of the world's `ControlTable` it belongs to.
    let number: UInt32
    /// Its ops are not called any more.
    var isEjected = false
    /// Instructions that calls can have taken since `instructionsBegin`.
    fileprivate(set) var instructions: UInt64 = 0
    private var instructionsBegin: Nanoseconds
    private let budget: ProgramBudget
    /// By `Op`: the longest path of a call.
    private var paths: [12 of UInt64] = .init(repeating: 0)
    /// The longest turn of a loop, and path of a timer's callback, of all programs.
    private var turn: UInt64 = 0
    private var callback: UInt64 = 0
    private var second: Int64 = 0
    private var fuelInSecond: UInt64 = 0
    private var faults: UInt64 = 0
    private var calls: [16 of CallRecord] = .init(repeating: CallRecord())
    private var callCount = 0

    /// - Parameter costs: by member.
    init(
        block: UnsafeMutablePointer<ops_block>, number: UInt32, costs: [String: ProgramCost],
        budget: ProgramBudget, at now: Nanoseconds
    ) {
        self.block = block
        self.number = number
        self.budget = budget
        instructionsBegin = now
        for op in Op.allCases { paths[Int(op.rawValue)] = costs[op.name]?.path ?? 0 }
        turn = costs.values.map(\.turn).max() ?? 0
        callback = costs.values.map(\.callback).max() ?? 0
    }

    /// An op has returned.
    /// - Returns: whether `settleInstructions` has to look.
    @inline(__always) mutating func note(_ call: CallRecord) -> Bool {
        calls[callCount & (Self.callsKept - 1)] = call
        callCount &+= 1
        instructions &+= paths[Int(call.op.rawValue)]
        return instructions > budget.instructionsPerSecond
    }

    /// The last calls, oldest first.
    var lastCalls: [CallRecord] {
        (max(0, callCount - Self.callsKept)..<callCount).map { calls[$0 & (Self.callsKept - 1)] }
    }

    /// As many instructions have been taken as one second allows.
    /// - Returns: the excess, if it was not a second yet.
    mutating func settleInstructions(at now: Nanoseconds) -> ProgramExcess? {
        guard instructions > budget.instructionsPerSecond else { return nil }
        guard now - instructionsBegin >= 1_000_000_000 else {
            return ProgramExcess(
                budget: .instructionsPerSecond, limit: budget.instructionsPerSecond, value: instructions)
        }
        instructionsBegin = now
        instructions = 0
        return nil
    }

    /// Calls have taken `fuel` turns together, and so many of them ran out of it.
    mutating func chargeFuel(_ fuel: UInt64, faults newFaults: UInt64, at now: Nanoseconds) -> ProgramExcess?
    {
        let thisSecond = now / 1_000_000_000
        if thisSecond != second {
            second = thisSecond
            fuelInSecond = 0
        }
        fuelInSecond &+= fuel
        faults &+= newFaults
        let (turns, overflows) = turn.multipliedReportingOverflow(by: fuel)
        instructions = overflows ? .max : instructions.addingSaturated(turns)
        if faults >= budget.faults {
            return ProgramExcess(budget: .faults, limit: budget.faults, value: faults)
        }
        if fuelInSecond > budget.fuelPerSecond {
            return ProgramExcess(budget: .fuelPerSecond, limit: budget.fuelPerSecond, value: fuelInSecond)
        }
        return settleInstructions(at: now)
    }

    /// Callbacks of timers have run.
    mutating func chargeTimers(_ use: Instance.TimerUse, at now: Nanoseconds) -> ProgramExcess? {
        instructions = instructions.addingSaturated(callback &* use.calls)
        return chargeFuel(use.fuel, faults: use.faults, at: now)
    }
}

extension UInt64 {
    fileprivate func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflows) = addingReportingOverflow(other)
        return overflows ? .max : sum
    }
}

/// A congestion control that a world has thrown out, as it was at that moment.
struct EjectedControl {
    /// The ops name, or `ControlSpec.key` with values.
    var name: String
    /// Entry of the world's `ControlTable`.
    var number: UInt32
    var excess: ProgramExcess
    var time: Int64
    /// Whose op call was one too many, and its socket then; nil: it was a timer's callback.
    var socket: (flow: UInt32, side: Side, copy: tcp_sock)?
    /// Oldest first.
    var calls: [CallRecord]
}
