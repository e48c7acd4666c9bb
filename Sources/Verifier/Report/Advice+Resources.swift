/// Advice about what a program takes, holds and gives back, and the regions it is in.
extension Advice {
    static let resources: [Advice] = references + locks + regions + stackObjects + kernelPointers

    private static let references: [Advice] = [
        Advice("Unreleased reference id=* alloc_insn=*") { evidence in
            let acquired = evidence.report.causalPath.last { $0.text.hasPrefix("reference acquired by ") }
            guard let acquired else { return "Release the argument on every path, or pass it on." }
            let function = String(acquired.text.dropFirst("reference acquired by ".count))
            let place = acquired.line.map { " on line \($0)" } ?? ""
            return
                "Release what \(function)() gave\(place) on every path before the program returns, also where something fails: \(release(for: function))."
        },
        Advice(
            "release kernel function * expects refcounted pointer",
            "Pass what the acquiring kfunc gave, once, and not after it was released."),
        Advice(
            "R* must be referenced when passed to release function",
            "Release only what an acquiring function gave, once; not the program's arguments, and not a pointer read from memory."
        ),
        Advice(
            "R* must have zero offset when passed to release func",
            "Pass the object itself, not the address of a member."),
        Advice(
            "argument * was released",
            "Use the argument before it is released, or keep what is needed of it in local variables."),
        Advice(
            "the callback does not leave references as it found them",
            "Release in the callback what it acquires, in the same turn, and nothing else."),
        Advice(
            "cannot overwrite referenced dynptr",
            "Submit or discard the dynptr before its variable is used again."),
    ]

    /// The function that gives back what `function` acquired, where there is one by convention.
    private static func release(for function: String) -> String {
        switch function {
        case "bpf_sk_lookup_tcp", "bpf_sk_lookup_udp", "bpf_skc_lookup_tcp": "bpf_sk_release()"
        case "bpf_ringbuf_reserve": "bpf_ringbuf_submit() or bpf_ringbuf_discard()"
        case "bpf_ringbuf_reserve_dynptr": "bpf_ringbuf_submit_dynptr() or bpf_ringbuf_discard_dynptr()"
        case "bpf_obj_new_impl": "bpf_obj_drop()"
        case let name where name.hasSuffix("_acquire"): "\(name.dropLast("acquire".count))release()"
        case let name where name.hasPrefix("bpf_iter_") && name.hasSuffix("_new"):
            "\(name.dropLast(3))destroy()"
        default: "with its releasing function"
        }
    }

    private static let locks: [Advice] = [
        Advice("* cannot be used inside *-ed region") { evidence in
            evidence.part(0).contains("EXIT")
                ? "Give back before the return what was taken: bpf_spin_unlock(), bpf_rcu_read_unlock() or the like, on every path."
                : "Leave the region first: unlock, do this, and lock again if need be."
        },
        Advice(
            "* without taking a lock", "Take the lock first, or leave the unlock out on this path."),
        Advice(
            "bpf_spin_unlock of different lock",
            "Unlock the lock of the same value, through the same pointer, that was locked."),
        Advice(
            "* of different lock", "Unlock through the pointer that was locked, the innermost lock first."),
        Advice(
            "Locking two bpf_spin_locks are not allowed", "Unlock the first lock before the second is taken."),
        Advice(
            "Cannot acquire lock while holding a bpf_spin_lock",
            "Unlock the bpf_spin_lock before another lock is taken."),
        Advice(
            "Acquiring the same lock again, AA deadlock detected",
            "The lock is held already on this path: unlock it first, or leave the second lock out."),
        Advice(
            "can't spin_{lock,unlock} in rbtree cb",
            "The comparison of a tree runs under the tree's lock: only compare in it."),
        Advice(
            "bpf_spin_lock at off=* must be held for *",
            "Lock the bpf_spin_lock that lies beside the list or tree before it is changed, and unlock afterwards."
        ),
        Advice(
            "held lock and object are not in the same allocation",
            "Lock the lock that lies in the same value as the list or tree."),
        Advice(
            "* has no bpf_spin_lock beside it",
            "Put a struct bpf_spin_lock into the same struct as the list or tree."),
        Advice("* not allowed in rbtree cb", "Only compare in a tree's comparison; change the tree outside."),
        Advice(
            "* cannot use * yet",
            "Keep what needs a lock in a map that another kind of program works on, or use atomic operations."
        ),
    ]

    private static let regions: [Advice] = [
        Advice(
            "* is sleepable within * region",
            "Leave the region before the call: bpf_rcu_read_unlock() or bpf_preempt_enable()."),
        Advice(
            "* might sleep in a non-sleepable prog",
            "Where the hook allows it, put the program in a sleepable section (with .s); else do without the call."
        ),
        Advice(
            "kernel func * requires RCU critical section protection",
            "Call it between bpf_rcu_read_lock() and bpf_rcu_read_unlock()."),
        Advice(
            "expected an RCU CS when using *",
            "Use the iterator between bpf_rcu_read_lock() and bpf_rcu_read_unlock()."),
        Advice(
            "nested rcu read lock *", "The section is open already: leave the second bpf_rcu_read_lock() out."
        ),
        Advice(
            "cannot restore irq state out of order*",
            "Restore the states in reverse order of saving: the last saved first."),
        Advice(
            "irq flag acquired by * kfuncs cannot be restored with * kfuncs",
            "Restore with the counterpart of the function that saved."),
        Advice(
            "expected uninitialized irq flag as arg#*", "Restore the flag before it is used to save again."),
        Advice("expected an initialized irq flag as arg#*", "Save with bpf_local_irq_save(&flags) first."),
        Advice("arg#* doesn't point to an irq flag on stack", "Pass the address of a local unsigned long."),
    ]

    private static let stackObjects: [Advice] = [
        Advice(
            "Expected an initialized dynptr as arg #*",
            "Make the dynptr first, with bpf_dynptr_from_mem() or bpf_ringbuf_reserve_dynptr(), on every path."
        ),
        Advice(
            "Dynptr has to be an uninitialized dynptr",
            "Submit or discard the dynptr before it is made again, or use another variable."),
        Advice(
            "Unsupported reg type * for bpf_dynptr_from_mem data",
            "Make the dynptr from memory of a map value."),
        Advice("expected uninitialized iter_* as arg #*", "Destroy the iterator before it is made again."),
        Advice(
            "potential write to * at off=* disallowed",
            "Keep buffers apart from objects on the stack, and bound the index that is written with."),
    ]

    private static let kernelPointers: [Advice] = [
        Advice(
            "store to referenced kptr disallowed", "Exchange it: old = bpf_kptr_xchg(&value->field, new)."),
        Advice("kptr cannot be accessed indirectly by helper", "Copy the value's other fields one by one."),
        Advice(
            "invalid kptr access, R type=*", "Load and store a kptr field whole, as the pointer that it is."),
        Advice(
            "off=* kptr isn't referenced kptr",
            "Declare the field with __kptr: bpf_kptr_xchg() works on referenced pointers."),
        Advice("invalid kptr access, R* type=* expected=ptr_*") { evidence in
            "Store a struct \(evidence.part(2)) * there; this is \(evidence.part(1))."
        },
        Advice(
            "timer pointer in R* map_uid=* doesn't match map pointer in R* map_uid=*",
            "Pass the map whose value holds the timer."),
        Advice(
            "R* is a pointer to per-CPU data, which cannot be accessed directly",
            "Take one CPU's copy: bpf_this_cpu_ptr() or bpf_per_cpu_ptr()."),
        Advice(
            "* cannot be accessed directly by load/store",
            "The field belongs to the functions made for it; access the value's other fields one by one."),
        Advice(
            "direct access to * is disallowed", "Use the functions that are made for this kind of object."),
        Advice(
            "R* is ptr_* invalid variable offset",
            "Read fields of kernel structs by name; copy arrays with bpf_probe_read_kernel() before they are indexed."
        ),
    ]
}
