/// What the programs of one registration may take in one world. Over it, they are ejected: their connections go on with
/// reno, and the registration is detached, with a record.
///
/// It counts simulated things only, so that a run ends the same way on every machine. Odd values (a window of 0) are no
/// reason: `FlowStatistics` counts them for the result.
package struct ProgramBudget: Equatable, Sendable {
    /// Turns of loops that may end at any turn, in one op call: at 0 the loop ends, and the call is one fault.
    package var fuelPerCall: UInt64 = 1 << 23
    /// The same in one simulated second, over all calls of a registration, its timers' included.
    package var fuelPerSecond: UInt64 = 1 << 32
    /// Instructions that its calls can have taken in less than one simulated second: of each call the longest path that
    /// the verifier knows, with the turns that its loops have really taken.
    package var instructionsPerSecond: UInt64 = 1 << 38
    /// Calls that ran out of fuel, over the whole run.
    package var faults: UInt64 = 16

    package init() {}
}

/// Which part of a budget was exceeded.
package struct ProgramExcess: Sendable {
    /// As the keys of the configuration are called.
    package enum Budget: String, Sendable {
        case fuelPerSecond = "fuel-per-second"
        case instructionsPerSecond = "instructions-per-second"
        case faults, memory
    }
    package var budget: Budget
    package var limit: UInt64
    /// What had been taken; of memory, what was asked for.
    package var value: UInt64

    package var kind: String {
        switch budget {
        case .fuelPerSecond: "fuel"
        case .instructionsPerSecond: "instructions"
        case .faults: "faults"
        case .memory: "memory"
        }
    }

    package var reason: String {
        switch budget {
        case .fuelPerSecond: "its loops took more than \(limit) turns in one simulated second"
        case .instructionsPerSecond: "its calls took up to \(value) instructions within one simulated second"
        case .faults: "\(value) op calls ran out of fuel: a loop did not end by itself"
        case .memory: "its data would take \(value) bytes, its budget is \(limit)"
        }
    }
}
