import ControlAPI
import Foundation
import OpsCore
import Synchronization

/// Registrations that have replaced another one on trial: until a trial's end an ejection brings the other one back.
final class Trials: Sendable {
    struct Trial: Sendable {
        /// Id of what was replaced.
        var fallback: UInt32
        var end: ContinuousClock.Instant
    }
    /// Not a global one, for the reason that `ObjectDigest` has.
    fileprivate static let queue = DispatchQueue(label: "opsd.trials")

    /// By the id of what is on trial.
    private let trials = Mutex<[UInt32: Trial]>([:])

    private static let secondsMax = 86_400.0

    /// - Throws: EINVAL for what is no sensible duration.
    static func duration(_ seconds: Double) throws(Refusal) -> Duration {
        guard seconds > 0, seconds <= secondsMax else {
            throw Refusal(
                "invalid", errno: 22, "a trial lasts more than 0 and at most \(Int(secondsMax)) seconds")
        }
        return .seconds(seconds)
    }

    func add(_ trial: Trial, of id: UInt32) { trials.withLock { $0[id] = trial } }

    func remove(_ id: UInt32) { _ = trials.withLock { $0.removeValue(forKey: id) } }

    /// nil: it is not on trial.
    func record(of id: UInt32) -> Registration.Trial? {
        trials.withLock { $0[id] }.map { trial in
            let left = (trial.end - ContinuousClock.now) / .seconds(1)
            return Registration.Trial(fallback: trial.fallback, leftS: max(0, (left * 10).rounded() / 10))
        }
    }
}

extension RuntimeHost {
    /// The trial ends by itself; an event tells whoever keeps the registry that what was replaced can be forgotten.
    func begin(_ trial: Trials.Trial, of id: UInt32) {
        trials.add(trial, of: id)
        let left = max(0, (trial.end - ContinuousClock.now) / .seconds(1))
        Trials.queue.asyncAfter(deadline: .now() + left) { [weak self] in
            guard let self else { return }
            trials.remove(id)
            guard runtime.endTrial(of: id) else { return }
            let name = (try? runtime.registrations(.id(id)))?.first?.name ?? "?"
            onEvent(
                HostEvent(
                    "trial-end", id: id, name: name,
                    text: "\(name) id \(id) stays: its trial is over, and id \(trial.fallback) is let go"))
        }
    }
}
