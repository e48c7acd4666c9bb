import CShim
import Glibc
import Verifier

/// Timers, whose callbacks run here, since the real way would need machine code.
extension Interpreter {
    /// As `Instance.fireTimers`, for timers that programs run by this interpreter have started.
    package func fireTimers() throws(InterpreterFault) {
        var failure: InterpreterFault?
        instance.fireTimers { timer, arguments in
            guard failure == nil else { return }
            do throws(InterpreterFault) { try runCallback(of: timer, arguments) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func runCallback(
        of timer: TimerTable.Timer, _ arguments: Instance.TimerArguments
    ) throws(InterpreterFault) {
        beginRun()
        guard let callback = image.subprogs.firstIndex(where: { UInt64($0.start) == timer.callback }) else {
            throw fault(.argument, "the callback of a timer is no subprog")
        }
        let serial = nextSerial
        nextSerial += 1
        lent[serial] = (start: arguments.key, byteCount: instance.maps[timer.map].description.keySize)
        let result = try call(
            subprog: callback,
            [
                Word(bits: arguments.handle, origin: .map(timer.map)),
                Word(bits: UInt64(arguments.key), origin: .lent(serial: serial)),
                Word(bits: UInt64(timer.value), origin: .value(map: timer.map, start: timer.value)),
            ])
        guard result.bits == 0, result.origin == .scalar else {
            throw fault(.argument, "the callback of a timer returned something else than 0")
        }
        try checkClosed()
    }
}
