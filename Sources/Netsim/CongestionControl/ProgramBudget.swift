internal import KernelABI

/// What the programs of one registration may take in one world. Over it, they are ejected: their connections go on with
/// reno, and the registration is detached, with a record.
///
/// It counts simulated things only, so that a run ends the same way on every machine. Odd values (a window of 0) are no
/// reason: `FlowStatistics` counts them for the result.
package struct ProgramBudget: Equatable, Sendable {
    /// Turns of loops that may end at any turn, in one op call: at 0 the loop ends, and the call is one fault.
    package var fuelPerCall: UInt64 = 1 << 23
    /// The same in one simulated second, over all calls of a registration.
    package var fuelPerSecond: UInt64 = 1 << 32
    /// Op calls that ran out of fuel, over the whole run.
    package var faults: UInt64 = 16

    package init() {}
}

/// What the programs of one registration have taken so far.
struct ProgramAccount {
    private var second: Int64 = 0
    private var fuelInSecond: UInt64 = 0
    private(set) var faults: UInt64 = 0

    enum Excess {
        case fuelPerSecond(UInt64)
        case faults(UInt64)

        var kind: String {
            switch self {
            case .fuelPerSecond: "fuel"
            case .faults: "faults"
            }
        }

        var reason: String {
            switch self {
            case .fuelPerSecond(let limit):
                "its loops took more than \(limit) turns in one simulated second"
            case .faults(let limit): "\(limit) op calls ran out of fuel: a loop did not end by itself"
            }
        }
    }

    /// One op call has taken `fuel` turns.
    /// - Returns: which limit is reached.
    mutating func charge(_ fuel: UInt64, ranOut: Bool, at now: Int64, _ budget: ProgramBudget) -> Excess? {
        let thisSecond = now / 1_000_000_000
        if thisSecond != second {
            second = thisSecond
            fuelInSecond = 0
        }
        fuelInSecond &+= fuel
        if ranOut { faults &+= 1 }
        if faults >= budget.faults { return .faults(budget.faults) }
        return fuelInSecond > budget.fuelPerSecond ? .fuelPerSecond(budget.fuelPerSecond) : nil
    }
}

/// A congestion control that a world has thrown out, as it was at that moment.
struct EjectedControl {
    /// The ops name, or `ControlSpec.key` with values.
    var name: String
    /// Entry of the world's `ControlTable`.
    var number: UInt32
    var excess: ProgramAccount.Excess
    var time: Int64
    /// Whose op call was one too many, and its socket then.
    var flow: UInt32
    var side: Side
    var socket: tcp_sock
}
