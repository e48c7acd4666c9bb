import CShim
import Glibc

extension HelperTable {
    /// `struct bpf_timer` of a map value. The verifier has proved that the first argument is one, of the map given.
    mutating func registerTimers() {
        unsafe register(169, "timer_init") { field, map, flags, _, _, block in
            guard let field = unsafe pointer(field), let block = unsafe block,
                let instance = unsafe Instance.of(block)
            else { return HelperAnswer.error(EINVAL) }
            return unsafe withMap(map) { map in
                unsafe HelperAnswer.status(initTimer(field, map, instance, flags: flags))
            } ?? HelperAnswer.error(EINVAL)
        }
        unsafe register(170, "timer_set_callback") { field, callback, _, _, _, block in
            unsafe withTimer(field, block) { instance, number in
                instance.timers.setCallback(number, callback)
                return 0
            }
        }
        unsafe register(171, "timer_start") { field, nanoseconds, flags, _, _, block in
            guard flags & ~(startAbsolute | startPinned) == 0 else { return HelperAnswer.error(EINVAL) }
            return unsafe withTimer(field, block) { instance, number in
                guard instance.timers.hasCallback(number) else { return HelperAnswer.error(EINVAL) }
                return HelperAnswer.status(
                    instance.startTimer(
                        number, nanoseconds: nanoseconds, isAbsolute: flags & startAbsolute != 0))
            }
        }
        unsafe register(172, "timer_cancel") { field, _, _, _, _, block in
            unsafe withTimer(field, block) { instance, number in
                // Nobody else could wait for the callback to end.
                guard instance.timers.running != number else { return HelperAnswer.error(EDEADLK) }
                return instance.timers.cancel(number) ? 1 : 0
            }
        }
    }
}

/// BPF_F_TIMER_ABS, BPF_F_TIMER_CPU_PIN: they always fire on the CPU that started them.
private let startAbsolute: UInt64 = 1
private let startPinned: UInt64 = 2
/// CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME: one clock here.
private let clocks: Set<UInt64> = [0, 1, 7]

/// - Returns: 0; EINVAL for another clock; EBUSY if it was initialised; EPERM for an element that has been deleted.
@unsafe private func initTimer(
    _ field: UnsafeMutableRawPointer, _ map: RuntimeMap, _ instance: Instance, flags: UInt64
) -> CInt {
    guard clocks.contains(flags), let offset = map.special.timerOffset else { return EINVAL }
    guard unsafe instance.timers.number(at: field) == nil else { return EBUSY }
    let address = UInt(bitPattern: field)
    let value = address &- UInt(offset)
    guard map.isLive(valueAt: value) else { return EPERM }
    let number = instance.timers.make(map: map.index, value: value, field: address)
    // SAFETY: a bpf_timer takes 16 bytes.
    unsafe field.storeBytes(of: number, as: UInt64.self)
    return 0
}

/// Calls `body` with the timer in the field; -EINVAL if there is none.
@unsafe private func withTimer(
    _ field: UInt64, _ block: UnsafeMutablePointer<ops_block>?, _ body: (Instance, UInt64) -> UInt64
) -> UInt64 {
    guard let field = unsafe pointer(field), let block = unsafe block,
        let instance = unsafe Instance.of(block), let number = unsafe instance.timers.number(at: field)
    else { return HelperAnswer.error(EINVAL) }
    return body(instance, number)
}
