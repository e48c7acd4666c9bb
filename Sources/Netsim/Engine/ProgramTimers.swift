internal import CShim
internal import OpsCore

/// The timers of the programs of one world (`bpf_timer`): one entry in the engine's queue for each instance that has one
/// to fire. Ties with other events go by insertion, as everywhere.
final class ProgramTimers: TimerHost {
    private struct Alarm {
        /// Kept by the world's `WorldInstance`, which outlives its engine.
        unowned let instance: Instance
        /// Of the earliest entry in the queue; `.never`: there is none.
        var scheduled: Nanoseconds
    }

    private let engine: Engine
    private var alarms: [Alarm] = []

    /// - Parameter instances: each once.
    init(_ engine: Engine, _ instances: [Instance]) {
        self.engine = engine
        alarms = instances.map { Alarm(instance: $0, scheduled: .never) }
        for instance in instances { instance.timerHost = self }
    }

    func schedule(_ instance: Instance, at ktime: UInt64) {
        guard let index = alarms.firstIndex(where: { $0.instance === instance }) else { return }
        // Far beyond the end of any run; boot time keeps the difference positive.
        let since = Nanoseconds(clamping: ktime &- engine.pointee.bootNanoseconds)
        let time = max(min(since, .never - 1), engine.pointee.now)
        guard time < alarms[index].scheduled else { return }
        alarms[index].scheduled = time
        engine.pointee.queue.push(at: time, .programTimers, UInt32(index))
    }

    /// An entry is due: its timer may have been cancelled or moved since.
    func fire(_ index: Int) {
        if alarms[index].scheduled <= engine.pointee.now { alarms[index].scheduled = .never }
        let instance = alarms[index].instance
        guard let first = instance.firstTimer else { return }
        if first <= engine.ktime {
            engine.setClocks(of: instance.block)
            engine.pointee.effects.depth &+= 1
            instance.fireTimers()
            engine.pointee.effects.depth &-= 1
            // A callback has no socket to ask anything for.
            engine.pointee.effects.clear()
            instance.consumeRecords()
        }
        if let next = instance.firstTimer { schedule(instance, at: next) }
    }
}
