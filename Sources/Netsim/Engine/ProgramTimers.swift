internal import CShim
internal import OpsCore

/// The timers of the programs of one world (`bpf_timer`): one entry in the engine's queue for each instance that has one
/// to fire. Ties with other events go by insertion, as everywhere.
///
/// An instance may go while the world runs (a live one): entries that are left for it in the queue find nothing to fire.
final class ProgramTimers: TimerHost {
    private struct Alarm {
        /// Kept by the world's `WorldInstance`; nil once it has gone.
        weak var instance: Instance?
        /// Of the earliest entry in the queue; `.never`: there is none.
        var scheduled = Nanoseconds.never
        /// Entries in the queue: while there are any, the alarm's number is not another instance's.
        var entryCount = 0
    }

    private let engine: Engine
    private var alarms: [Alarm] = []

    /// - Parameter instances: each once.
    init(_ engine: Engine, _ instances: [Instance]) {
        self.engine = engine
        for instance in instances { add(instance) }
    }

    /// One more instance whose timers are fired.
    func add(_ instance: Instance) {
        guard instance.timerHost == nil else { return }
        instance.timerHost = self
        if let free = alarms.firstIndex(where: { $0.instance == nil && $0.entryCount == 0 }) {
            alarms[free] = Alarm(instance: instance)
        } else {
            alarms.append(Alarm(instance: instance))
        }
    }

    func schedule(_ instance: Instance, at ktime: UInt64) {
        guard let index = alarms.firstIndex(where: { $0.instance === instance }) else { return }
        // Far beyond the end of any run; boot time keeps the difference positive.
        let since = Nanoseconds(clamping: ktime &- engine.pointee.bootNanoseconds)
        let time = max(min(since, .never - 1), engine.pointee.now)
        guard time < alarms[index].scheduled else { return }
        alarms[index].scheduled = time
        alarms[index].entryCount += 1
        engine.pointee.queue.push(at: time, .programTimers, UInt32(index))
    }

    /// An entry is due: its timer may have been cancelled or moved since.
    func fire(_ index: Int) {
        if alarms[index].scheduled <= engine.pointee.now { alarms[index].scheduled = .never }
        alarms[index].entryCount -= 1
        guard let instance = alarms[index].instance, let first = instance.firstTimer else { return }
        // What was ejected is not called any more, nor are its timers.
        guard let program = engine.pointee.controls.program(of: instance) else { return }
        if first <= engine.ktime {
            engine.setClocks(of: instance.block)
            engine.pointee.effects.depth &+= 1
            engine.pointee.controls.firesTimers = true
            let use = instance.fireTimers()
            engine.pointee.effects.depth &-= 1
            engine.pointee.controls.note(
                program.pointee.chargeTimers(use, at: engine.pointee.now), of: program)
            engine.pointee.controls.firesTimers = false
            // A callback has no socket to ask anything for.
            engine.pointee.effects.clear()
            instance.consumeRecords()
            engine.ejectExcesses()
        }
        if let next = instance.firstTimer { schedule(instance, at: next) }
    }
}
