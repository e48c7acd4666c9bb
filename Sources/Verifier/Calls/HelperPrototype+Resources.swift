import BPF

/// Helpers that take, hold or give back something: ring buffers, dynptrs, locks, timers, kptrs, per-CPU variables.
extension HelperPrototype {
    static let resources: [HelperPrototype] = [
        entry("ringbuf_output", [.map, .memory, .sizeOrZero, .anything], maps: [.ringbuf]),
        entry(
            "ringbuf_reserve", [.map, .allocationSize, .anything], .memoryOrNull(isRecord: true),
            maps: [.ringbuf], .acquires),
        entry("ringbuf_submit", [.record, .anything], .void),
        entry("ringbuf_discard", [.record, .anything], .void),
        entry("ringbuf_query", [.map, .anything], maps: [.ringbuf]),
        entry(
            "ringbuf_reserve_dynptr", [.map, .anything, .anything, .dynptrOut(.ringbuf)], maps: [.ringbuf]),
        entry("ringbuf_submit_dynptr", [.dynptrReleased(.ringbuf), .anything], .void),
        entry("ringbuf_discard_dynptr", [.dynptrReleased(.ringbuf), .anything], .void),
        entry(
            "user_ringbuf_drain", [.map, .callback, .callbackContext, .anything],
            maps: [.userRingbuf]),

        entry(
            "find_vma", [.object(["task_struct"]), .anything, .callback, .callbackContext, .anything]),

        entry("dynptr_from_mem", [.memoryOut, .sizeOrZero, .anything, .dynptrOut(.local)]),
        entry("dynptr_read", [.memoryOut, .sizeOrZero, .dynptr, .anything, .anything]),
        entry("dynptr_write", [.dynptr, .anything, .memory, .sizeOrZero, .anything]),
        entry("dynptr_data", [.dynptr, .anything, .allocationSize], .memoryOrNull(isRecord: false)),

        entry("spin_lock", [.spinLock], .void),
        entry("spin_unlock", [.spinLock], .void),

        entry("timer_init", [.timer, .map, .anything]),
        entry("timer_set_callback", [.timer, .callback]),
        entry("timer_start", [.timer, .anything, .anything]),
        entry("timer_cancel", [.timer]),

        entry("kptr_xchg", [.kptrField, .kptrValue], .kptr),
        entry("per_cpu_ptr", [.percpuVariable, .anything], .percpuCopy(maybeNull: true)),
        entry("this_cpu_ptr", [.percpuVariable], .percpuCopy(maybeNull: false)),

        entry("tail_call", [.context, .map, .anything], .void, maps: [.progArray], .changesPacket),
    ]
}
