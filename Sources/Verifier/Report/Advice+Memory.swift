/// Advice about pointers and the memory behind them.
extension Advice {
    static let pointers: [Advice] = [
        Advice("R* invalid mem access '*_or_null'") { evidence in
            let name = evidence.name ?? "the pointer"
            return
                "Add `if (!\(evidence.name ?? "p")) \(evidence.exit)` \(evidence.beforeLine): \(name) may be NULL there."
        },
        Advice("R* invalid mem access 'scalar'") { evidence in
            switch evidence.origin {
            case .constant:
                "The pointer is a constant here, NULL perhaps: test it before the access, or set it first."
            case .field(let field):
                "Read through the struct that has the field '\(field)', or with bpf_probe_read_kernel()."
            default:
                "A number is used as an address. Keep the pointer itself in a variable, without casts to integers, or read with bpf_probe_read_kernel()."
            }
        },
        Advice(
            "R* invalid mem access 'map_ptr'", "Look the element up first: bpf_map_lookup_elem(&map, &key)."),
        Advice("R* invalid mem access 'pkt_end'", "data_end is only compared with; read through data."),
        Advice("R* invalid mem access '*'") { evidence in
            "Only pointers to data are followed; this is a \(evidence.part(1)). Pass it to the helper that it is for."
        },
        Advice("R* !read_ok") { evidence in
            switch evidence.origin {
            case .destroyed(let function):
                "Calls leave nothing in R1 to R5. Copy the value to a local variable before \(function)(), and use the copy \(evidence.line.map { "on line \($0)" } ?? "here")."
            case .neverWritten:
                evidence.part(0) == "0"
                    ? "Return a value on every path: add `\(evidence.exit)` at the end."
                    : "The function has fewer arguments than this uses: pass the value, or set it \(evidence.beforeLine)."
            default:
                "Give the variable a value where it is declared: `= 0` or `= {}`."
            }
        },
        Advice("R* pointer arithmetic on *_or_null prohibited*") { evidence in
            let name = evidence.name ?? "p"
            return
                "Add `if (!\(name)) \(evidence.exit)` \(evidence.beforeLine), then compute with the pointer."
        },
        Advice(
            "R* pointer arithmetic on map_ptr prohibited*",
            "A map is not an array in C: take the element with bpf_map_lookup_elem(&map, &key)."),
        Advice(
            "R* pointer arithmetic on pkt_end prohibited*",
            "Add to data, not to data_end: `if (data + n > data_end) return …;`."),
        Advice(
            "R* pointer arithmetic on * prohibited",
            "Use the pointer as it was handed out, and read its fields by name."),
        Advice(
            "R* pointer arithmetic with this operator prohibited",
            "Only add numbers to a pointer and subtract them. To align or mask, compute the offset as a number first."
        ),
        Advice(
            "R* pointer * pointer prohibited",
            "Subtract only pointers into the same object; keep lengths in variables of their own."),
        Advice("R* tried to subtract pointer from scalar", "Swap the operands: end - start."),
        Advice(
            "R* sign-extending load of a pointer",
            "Load the pointer into a pointer variable, not into an int."),
        Advice(
            "cannot return stack pointer to the caller",
            "Let the caller declare the variable and pass its address."),
    ]

    static let memory: [Advice] = [
        Advice("invalid access to map value, *_size=* off=* size=*") { evidence in
            guard let size = evidence.number(1), let offset = evidence.number(2),
                let length = evidence.number(3),
                offset >= 0
            else { return nil }
            let index = evidence.index ?? "i"
            if evidence.isVariable {
                return length > 0 && size >= length
                    ? "Compare `\(index)` with the array's size \(evidence.beforeLine): `if (\(index) >= \(size / length)) \(evidence.exit)` (\(size) bytes, \(length) for each element)."
                    : nil
            }
            return
                "The value has \(size) bytes, the access ends at byte \(offset + length). Make the map's value larger, or use the type that the map is declared with."
        },
        Advice(
            "invalid access to map_key*",
            "The key is as large as the map's key type says; read no more of it."),
        Advice("invalid access to mem, *_size=* off=* size=*") { evidence in
            guard let size = evidence.number(1), let offset = evidence.number(2),
                let length = evidence.number(3)
            else { return nil }
            if evidence.isVariable {
                let index = evidence.index ?? "i"
                return
                    "Compare `\(index)` with the memory's size \(evidence.beforeLine): `if (\(index) > \(max(0, size - length))) \(evidence.exit)`."
            }
            return
                "The memory has \(size) bytes and the access needs \(offset + length): ask for more where it is made, or test the size first."
        },
        Advice("R* min value is negative, either use unsigned or 'var &= const'") { evidence in
            "Make the size unsigned, or add `if (size < 0) \(evidence.exit)` \(evidence.beforeLine)."
        },
        Advice("R* min value is negative, either use unsigned *") { evidence in
            let index = evidence.index ?? "i"
            return
                "Make `\(index)` unsigned, or add `if (\(index) < 0) \(evidence.exit)` \(evidence.beforeLine), beside the check of its upper end."
        },
        Advice("R* unbounded memory access, make sure*") { $0.boundIndex },
        Advice("R* unbounded memory access*") { evidence in
            "Bound the size \(evidence.beforeLine): `if (size > sizeof(buffer)) size = sizeof(buffer);`."
        },
        Advice("R* invalid zero-sized read*") { evidence in
            "Add `if (size == 0) \(evidence.exit)` \(evidence.beforeLine): this helper takes at least one byte."
        },
        Advice("math between * pointer and register with unbounded *") { $0.boundIndex },
        Advice(
            "value * makes * pointer be out of bounds",
            "The offset is far outside any object: check how it is computed."),
        Advice(
            "variable ctx access var_off=* disallowed",
            "Read arguments by name; write a switch over the index if need be."),
        Advice(
            "dereference of modified * ptr R* off=* disallowed",
            "Read the field through the pointer as it was handed out: ctx->field, not through a moved copy."),
        Advice(
            "write into map forbidden*",
            "Declare the variable without const, so that it lies in .data or .bss."),
        Advice(
            "bpf_spin_lock cannot be accessed directly by load/store",
            "Copy the value's other fields one by one; the lock is only for bpf_spin_lock() and bpf_spin_unlock()."
        ),
        Advice("access to struct * at off * has no CO-RE relocation") { evidence in
            "Compile with the vmlinux.h of the target, or declare struct \(evidence.part(0)) with __attribute__((preserve_access_index))."
        },
        Advice("access beyond struct * at off *") { evidence in
            "The pointer is not to a struct as large as the access takes it for: cast to the type it has, struct \(evidence.part(0))."
        },
        Advice(
            "only read is supported",
            "This struct is read-only here: keep what you compute in a map or in the fields that may be written."
        ),
        Advice("no write support to * at off *") { evidence in
            "Other fields of struct \(evidence.part(0)) may be written (see `opsctl btf dump`); keep your own data in the private area or in a map."
        },
        Advice("write access at off * with size * beyond the member of * ended at *") { evidence in
            "The write is longer than the field, which ends at byte \(evidence.part(3)): use the field's own type."
        },
        Advice(
            "R* cannot write through an untrusted pointer*",
            "Write through the argument that the op was given, not through a pointer read from a struct."),
        Advice(
            "misaligned stack access off * size *",
            "Access variables on the stack with their own types: the address must be a multiple of the size."),
        Advice(
            "misaligned access off * size *",
            "Align the variable to its size: atomic operations need it. Put it first in the struct, or pad before it."
        ),
        Advice(
            "BPF_ATOMIC * into R* * is not allowed",
            "Do the atomic operation on a map value or a local variable."),
        Advice(
            "direct value offset of * is not allowed",
            "Refer to variables of .data, .bss and .rodata by name."),
        Advice(
            "R* cannot write into rdonly_mem*",
            "This memory is only for reading: copy it to a local variable and change the copy."),
        Advice(
            "write to change key R* not allowed",
            "To change a key, delete the element and insert it under the new key."),
    ]

    static let stack: [Advice] = [
        Advice(
            "invalid read from stack off *: it holds *", "Leave the object on the stack to its own functions."
        ),
        Advice("cannot overwrite * at stack off *", "Destroy the object before its memory is used again."),
        Advice("invalid * stack R* off=* size=*") { evidence in
            guard let offset = evidence.number(2), let size = evidence.number(3) else { return nil }
            if offset < -512 {
                return
                    "A function's variables take at most 512 bytes: keep large ones in a per-CPU array map of one element."
            }
            let index = evidence.index ?? "i"
            return size > 8
                ? "Compare `\(index)` with the number of elements \(evidence.beforeLine), and make it unsigned."
                : "The access goes past the local variable: use its own type and size."
        },
        Advice(
            "cannot spill pointers to stack into stack frame of the caller",
            "Return the value in place of storing the address of a local variable in the caller's."),
        Advice("invalid size of register *", "Copy pointers whole: 8 bytes, in a pointer variable."),
        Advice(
            "combined stack size of * calls is *. Too large",
            "Move the largest local arrays to a per-CPU array map of one element, or make a called function __noinline with fewer variables."
        ),
    ]

    static let packets: [Advice] = [
        Advice("invalid access to packet, off=* size=*, *") { evidence in
            guard let offset = evidence.number(0), let size = evidence.number(1) else { return nil }
            if offset < 0 {
                return "The access starts before the packet: check the subtraction that moved the pointer."
            }
            return
                "Add \(evidence.beforeLine): `if ((void *)p + \(offset + size) > data_end) return …;`, with p the pointer that is read through."
        },
        Advice(
            "cannot write packet",
            "Packets are read-only here: copy the bytes to a local variable, or use bpf_skb_store_bytes() where it is allowed."
        ),
        Advice("cannot read packet", "Use bpf_skb_load_bytes() to read the bytes."),
        Advice("cannot pass packet", "Copy the bytes to a local variable and pass that."),
        Advice("invalid bpf_context access off=* size=*") { evidence in
            "Read the context's fields by name and whole; this kind of program (\(evidence.report.at?.subprog ?? "")) has no such field at byte \(evidence.part(0))."
        },
        Advice(
            "invalid sock access off=* size=*",
            "Read the fields of struct bpf_sock by name; for a full socket call bpf_sk_fullsock() first."),
        Advice("R* ctx is read-only*", "The arguments cannot be changed: copy them to local variables."),
        Advice(
            "R* cannot write into sock",
            "Change a socket with bpf_setsockopt(); these fields are only for reading."),
    ]
}

extension Advice.Evidence {
    /// How to limit the number that was added to the pointer.
    fileprivate var boundIndex: String {
        let name = index ?? "i"
        let sign = "if `\(name)` is signed, make it unsigned"
        guard let array else {
            return
                "Bound `\(name)` before it is added: `if (\(name) >= N) \(exit)`, with N the number of elements; \(sign)."
        }
        return
            "Compare `\(name)` with the size of `\(array.name)` \(beforeLine): `if (\(name) >= \(array.count)) \(exit)`; \(sign)."
    }

    /// Whether a number that is not constant was added to the pointer.
    fileprivate var isVariable: Bool {
        index != nil || report.reason.contains("may point") || report.reason.contains("may start")
    }
}
