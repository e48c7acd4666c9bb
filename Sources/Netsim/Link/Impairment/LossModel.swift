/// Random loss of packets with payload: each on its own, or in bursts.
enum LossModel: Equatable {
    case none
    /// Bernoulli, one draw per packet.
    case independent(probability: Double)
    /// Gilbert and Elliott's channel of two states, two draws per packet: change of state, then loss in the new state.
    case burst(Scenario.BurstLoss, isBad: Bool)

    init(_ spec: Scenario.LossSpec) {
        switch spec {
        case .independent(let probability):
            self = probability > 0 ? .independent(probability: probability) : .none
        case .burst(let burst): self = .burst(burst, isBad: false)
        }
    }

    @inline(__always) mutating func loses(_ random: inout SplitMix64) -> Bool {
        switch self {
        case .none: return false
        case .independent(let probability): return random.nextUnit() < probability
        case .burst(let burst, var isBad):
            if random.nextUnit() < (isBad ? burst.leave : burst.enter) { isBad.toggle() }
            self = .burst(burst, isBad: isBad)
            return random.nextUnit() < (isBad ? burst.bad : burst.good)
        }
    }
}
