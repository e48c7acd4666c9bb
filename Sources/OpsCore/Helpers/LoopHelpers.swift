import CShim
import Glibc

/// BPF_MAX_LOOPS.
private let loopsMax: UInt64 = 8 << 20

extension HelperTable {
    /// Loops that end at any turn when fuel is out, and the sections that a single-threaded world need not guard.
    mutating func registerLoops() {
        unsafe register(181, "loop") { turns, callback, context, flags, _, block in
            guard let block = unsafe block, callback != 0, flags == 0 else {
                return HelperAnswer.error(EINVAL)
            }
            // The kernel's prototype has a u32 here.
            let turns = turns & 0xffff_ffff
            guard turns <= loopsMax else { return HelperAnswer.error(E2BIG) }
            var turn: UInt64 = 0
            while turn < turns, unsafe block.takeFuel() {
                // SAFETY: the callback is a thunk of the calling program.
                let stop = unsafe ops_call_callback(callback, turn, context, 0, 0, 0, block)
                turn += 1
                if stop != 0 { break }
            }
            return turn
        }
        registerNumberIterator()
        for name in [
            "bpf_rcu_read_lock", "bpf_rcu_read_unlock", "bpf_preempt_disable", "bpf_preempt_enable",
        ] {
            unsafe registerKfunc(name) { _, _, _, _, _, _ in 0 }
        }
    }

    /// `bpf_for(i, start, end)`: `struct bpf_iter_num` holds the current number and the end, 4 bytes each.
    private mutating func registerNumberIterator() {
        unsafe registerKfunc("bpf_iter_num_new") { iterator, start, end, _, _, _ in
            guard let iterator = unsafe pointer(iterator) else { return HelperAnswer.error(EINVAL) }
            let start = Int32(truncatingIfNeeded: start)
            let end = Int32(truncatingIfNeeded: end)
            // SAFETY: the verifier gives iterators 8 aligned bytes of stack.
            unsafe iterator.storeBytes(of: 0, as: UInt64.self)
            guard start <= end else { return HelperAnswer.error(EINVAL) }
            guard Int64(end) - Int64(start) <= Int64(loopsMax) else { return HelperAnswer.error(E2BIG) }
            unsafe iterator.storeBytes(of: start &- 1, as: Int32.self)
            unsafe iterator.storeBytes(of: end, toByteOffset: 4, as: Int32.self)
            return 0
        }
        unsafe registerKfunc("bpf_iter_num_next") { iterator, _, _, _, _, block in
            guard let iterator = unsafe pointer(iterator), let block = unsafe block else { return 0 }
            // SAFETY: as above.
            let next = unsafe iterator.load(as: Int32.self) &+ 1
            let end = unsafe iterator.load(fromByteOffset: 4, as: Int32.self)
            guard next < end, unsafe block.takeFuel() else {
                unsafe iterator.storeBytes(of: 0, as: UInt64.self)
                return 0
            }
            unsafe iterator.storeBytes(of: next, as: Int32.self)
            return unsafe HelperAnswer.address(iterator)
        }
        unsafe registerKfunc("bpf_iter_num_destroy") { iterator, _, _, _, _, _ in
            guard let iterator = unsafe pointer(iterator) else { return 0 }
            // SAFETY: as above.
            unsafe iterator.storeBytes(of: 0, as: UInt64.self)
            return 0
        }
    }
}
