/// Advice about numbers, calls, resources and the shape of programs.
extension Advice {
    static let numbers: [Advice] = [
        Advice("At program exit the register R* should have been in *") { evidence in
            "Return a constant in \(evidence.part(1)) on every path; bound a computed result first: `return result ? 1 : 0;`."
        },
        Advice(
            "At program exit the register R* is not a known value *",
            "Return a number, not a pointer: `return p ? 1 : 0;`."),
        Advice(
            "At * return the register R* should have been in [0, 0]",
            "Return 0: what runs later has nobody to answer."),
        Advice(
            "At * return the register R* should have been in [0, 1]",
            "Return 0 to go on and 1 to stop; nothing else."),
        Advice(
            "R* must be a known constant*",
            "Write the number as a literal or an enum; a variable will not do, unless the compiler folds it."),
        Advice(
            "R* must be a referenced pointer or NULL",
            "Return what an acquiring kfunc gave, or NULL; not a pointer read from memory."),
    ]

    static let calls: [Advice] = [
        Advice("R* type=*_or_null expected=*") { evidence in
            let name = evidence.name ?? "p"
            return
                "Add `if (!\(name)) \(evidence.exit)` \(evidence.beforeLine): the call needs a pointer that is not NULL."
        },
        Advice("R* type=scalar expected=*") { evidence in
            switch evidence.part(1) {
            case "map_ptr": "Pass the address of a map: &map."
            case "ctx": "Pass the program's own ctx argument."
            case "func": "Pass the address of a static function of this program."
            case let wanted where wanted.hasPrefix("fp"):
                "Pass the address of a local variable or a map value, not a number."
            default: "Pass \(evidence.part(1)), not a number."
            }
        },
        Advice("R* type=* expected=scalar", "Pass a number here, not a pointer."),
        Advice(
            "R* type=* expected=map_ptr",
            "Pass the address of a map that is declared in SEC(\".maps\"): &map."),
        Advice(
            "R* type=* expected=ctx",
            "Pass ctx as the program got it, not moved and not a copy of what it points to."),
        Advice("R* type=* expected=func", "Pass the name of a static function of this program."),
        Advice("R* type=* expected=trusted pointer to struct *") { evidence in
            "Pass an argument of the program or the result of an acquiring function: a struct \(evidence.part(2)) * that is known to be valid. One read from another struct is not."
        },
        Advice(
            "R* type=* expected=fp*", "Copy what is to be passed to a local variable, and pass its address."),
        Advice("R* type=* expected=*") { evidence in "Pass \(evidence.part(2)); this is \(evidence.part(1))."
        },
        Advice("cannot pass map_type * into func *") { evidence in
            evidence.part(1) == "bpf_map_lookup_elem"
                ? "Maps of this type have no elements to look up: use the helpers made for the type."
                : "Declare the map with a type that \(evidence.part(1))() takes, or use the helper for this type."
        },
        Advice("program of this type cannot use helper *#*") { evidence in
            "Do without \(evidence.part(0))() here, or move the call to a program of a type that may use it (docs.ebpf.io lists them)."
        },
        Advice("invalid func *", "Call helpers by the names in bpf_helper_defs.h."),
        Advice("calling kernel function * is not allowed") { evidence in
            "Do without \(evidence.part(0))() in this op; `opsctl btf dump` lists the kfuncs that are offered."
        },
        Advice(
            "program must be sleepable to call sleepable kfunc *",
            "Put the program in a sleepable section (with .s), if what it is for allows that."),
        Advice(
            "helper call might sleep in a non-sleepable prog*",
            "Put the program in a sleepable section (with .s), or use the helper's variant that does not wait."
        ),
        Advice("Possibly NULL pointer passed to trusted arg*") { evidence in
            let name = evidence.name ?? "p"
            return "Add `if (!\(name)) \(evidence.exit)` \(evidence.beforeLine)."
        },
        Advice(
            "R* must be referenced or trusted",
            "Pass the program's own argument or what an acquiring kfunc gave. To use a pointer read from memory, acquire it first."
        ),
        Advice(
            "arg#* expected pointer to an iterator on stack",
            "Declare the iterator as a local variable and pass its address."),
        Advice(
            "expected an initialized iter_* as arg #*",
            "Call the iterator's _new() first, and nothing after its _destroy()."),
        Advice("arg#* expected pointer to struct *, got *") { evidence in
            "Pass a struct \(evidence.part(1)) *; this is \(evidence.part(2))."
        },
        Advice("R* is not a scalar", "Pass a number here, not a pointer."),
        Advice(
            "R* string is not zero-terminated",
            "End the string with a zero byte: declare it as `static const char s[] = \"…\";`."),
        Advice(
            "function calls are not allowed while holding a lock",
            "Call it before bpf_spin_lock() or after bpf_spin_unlock(); between them use plain loads and stores."
        ),
        Advice(
            "global function calls are not allowed while holding a lock*",
            "Make the function static, or call it after bpf_spin_unlock()."),
        Advice(
            "R* is not a known constant",
            "Pass a size that the compiler knows: sizeof(struct x), not a variable."),
        Advice(
            "R* does not point to a readonly map*", "Use a constant string: static const char s[] = \"…\";."),
        Advice(
            "cannot call GPL-restricted function from non-GPL compatible program",
            "Add: char _license[] SEC(\"license\") = \"GPL\";"),
        Advice(
            "Global function * doesn't return scalar*", "Make the function static, or let it return a number."
        ),
        Advice(
            "Global function * with * > 5 args*",
            "Pass a pointer to a struct in place of so many arguments, or make the function static."),
        Advice(
            "Global function * has no prototype in BTF",
            "Compile with -g, so that the object says what the function takes."),
        Advice(
            "* type ID argument must be of a struct *",
            "Pass bpf_core_type_id_local(struct x), with x a struct of this program."),
        Advice(
            "* type size (*) is greater than *", "Make the struct smaller: objects of this kind have a limit."
        ),
        Advice(
            "kfunc bpf_rdonly_cast type ID argument *",
            "Pass bpf_core_type_id_kernel(struct x), with x a struct of the kernel."),
        Advice(
            "recursive call of *", "Replace the recursion by a loop with an array of its own as the stack."),
        Advice(
            "the call stack of * frames is too deep*",
            "Make some of the functions on the chain static __always_inline."),
        Advice(
            "* calls itself through others", "Break the cycle: one of the functions must not call the next."),
    ]

    static let structure: [Advice] = [
        Advice("div by zero", "Divide by something else than the constant 0."),
        Advice("invalid shift *", "Shift by less than the width of the type."),
        Advice("frame pointer is read only", "This is made by hand or damaged: compile the source again."),
        Advice(
            "BPF_LD_[ABS|IND] instructions not allowed for this program type",
            "Read packets through data and data_end, or with bpf_skb_load_bytes()."),
        Advice(
            "infinite loop detected at insn *",
            "Let a counter end the loop: `for (int i = 0; i < 100; i++)`; or use bpf_for() or bpf_loop(), which end by themselves."
        ),
        Advice(
            "BPF program is too large. Processed * insn",
            "Bound loops by small constants, or use bpf_loop(), bpf_for() or may_goto, whose bodies are verified once; move code to global functions (not static), which are verified on their own."
        ),
        Advice(
            "verification needs more than *",
            "Make fewer variables alive across loops and branches: split the function into global functions, which are verified on their own."
        ),
        Advice("last insn is not an exit or jmp", "End every path of the function with return."),
        Advice(
            "jump out of range *",
            "Jump inside the function only; this is made by hand or damaged: compile the source again."),
        Advice("unreachable insn *", "Remove the code that nothing reaches."),
        Advice("the program has no instructions", "Give the function a body that returns a value."),
        Advice("kfunc '*' is referenced but wasn't resolved: *") { evidence in
            "Test for it before the call, `if (bpf_ksym_exists(\(evidence.part(0))))`, with a __weak declaration; or do without."
        },
        Advice("BPF map '*' is referenced but wasn't created: *") { evidence in
            "Use a map type that is built here in place of '\(evidence.part(0))', or leave the code out."
        },
        Advice(
            "* is not modelled by *",
            "Guard the access with `if (bpf_core_field_exists(…))`, or do without the field."),
        Advice(
            "the longest path is * instructions, the limit is *",
            "Make the bodies of loops shorter, or bound their turns by smaller constants."),
        Advice(
            "struct ops programs must have a GPL compatible license",
            "Add: char _license[] SEC(\"license\") = \"GPL\";"),
        Advice(
            "insn *: same insn cannot be used with different pointers",
            "Write the access twice, once for each kind of pointer, so that it is two instructions."),
    ]
}
