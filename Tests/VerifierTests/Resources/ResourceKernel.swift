import BPF
import Verifier

/// A kernel and an object with everything that can be held: the types, the kfuncs with the flags of the project's table,
/// and maps whose values have special fields.
struct ResourceKernel: Sendable {
    static let shared: ResourceKernel = {
        do { return try ResourceKernel() } catch { fatalError("the kernel's BTF: \(error)") }
    }()

    let btf: BTF
    let object: BTF
    let kfuncs: [KfuncPrototype]
    let maps: [MapDescription]
    /// Struct `elem` of the object: key at 0, list node at 8, tree node at 24, count at 56, data at 64.
    let element: Int32
    /// FUNCs of the object, by name: prototypes of global functions.
    let functions: [String: TypeID]

    // MARK: The kernel

    private struct Types {
        var b = BTFBuilder()
        let u8, u32, s32, u64, void: TypeID
        init() {
            u8 = b.int("unsigned char", byteCount: 1)
            u32 = b.int("unsigned int", byteCount: 4)
            s32 = b.int("int", byteCount: 4, isSigned: true)
            u64 = b.int("unsigned long", byteCount: 8)
            void = b.pointer(to: .void)
        }
        /// A number, a field that RCU protects, and one that nothing does.
        mutating func task() -> (type: TypeID, pointer: TypeID) {
            let task = b.reserve()
            let pointer = b.pointer(to: task)
            b.set(
                task,
                to: .composite(
                    BTFComposite(
                        name: "task_struct", isUnion: false, byteCount: 24,
                        members: [
                            BTFMember(name: "pid", type: u32, bitOffset: 0),
                            BTFMember(name: "real_parent", type: pointer, bitOffset: 64),
                            BTFMember(name: "last_wakee", type: pointer, bitOffset: 128),
                        ])))
            return (task, pointer)
        }

        /// A struct with one member that nobody looks at.
        mutating func opaque(_ name: String, words: Int) -> TypeID {
            let words64 = b.array(of: u64, count: words, index: u32)
            return b.structure(name, byteCount: 8 * words, [("opaque", words64, 0)])
        }
    }

    init() throws(BTFError) {
        var t = Types()
        let taskPointer = t.task().pointer
        var kfuncs: [KfuncPrototype] = []
        ResourceKernel.addKfuncs(&kfuncs, &t, taskPointer)
        self.kfuncs = kfuncs
        btf = try t.b.build()
        (object, maps, element, functions) = try ResourceKernel.makeObject()
    }

    private static func addKfuncs(_ kfuncs: inout [KfuncPrototype], _ t: inout Types, _ task: TypeID) {
        let dynptr = t.b.pointer(to: t.opaque("bpf_dynptr", words: 2))
        let constDynptr = t.b.pointer(to: t.b.const(t.opaque("bpf_dynptr", words: 2)))
        let head = t.b.pointer(to: t.opaque("bpf_list_head", words: 2))
        let node = t.b.pointer(to: t.opaque("bpf_list_node", words: 2))
        let root = t.b.pointer(to: t.opaque("bpf_rb_root", words: 2))
        let treeNode = t.b.pointer(to: t.opaque("bpf_rb_node", words: 4))
        let lock = t.b.pointer(to: t.opaque("bpf_res_spin_lock", words: 1))
        let work = t.b.pointer(to: t.opaque("bpf_wq", words: 2))
        let tasks = t.b.pointer(to: t.opaque("bpf_iter_task", words: 3))
        let flags = t.b.pointer(to: t.u64)
        let bool = t.b.int("_Bool", byteCount: 1, isBool: true)
        let less = t.b.pointer(to: t.b.prototype(result: bool, [("a", treeNode), ("b", treeNode)]))
        let callback = t.b.pointer(to: t.b.prototype(result: t.s32, [("map", t.void)]))
        let list: [(String, TypeID, [(String, TypeID)])] = [
            ("bpf_rcu_read_lock", .void, []), ("bpf_rcu_read_unlock", .void, []),
            ("bpf_preempt_disable", .void, []), ("bpf_preempt_enable", .void, []),
            ("bpf_local_irq_save", .void, [("flags__irq_flag", flags)]),
            ("bpf_local_irq_restore", .void, [("flags__irq_flag", flags)]),
            ("bpf_res_spin_lock", t.s32, [("lock", lock)]), ("bpf_res_spin_unlock", .void, [("lock", lock)]),
            ("bpf_throw", .void, [("cookie", t.u64)]),
            ("bpf_obj_new_impl", t.void, [("local_type_id__k", t.u64), ("meta__ign", t.void)]),
            ("bpf_obj_drop_impl", .void, [("p__alloc", t.void), ("meta__ign", t.void)]),
            ("bpf_refcount_acquire_impl", t.void, [("p__refcounted_kptr", t.void), ("meta__ign", t.void)]),
            (
                "bpf_list_push_front_impl", t.s32,
                [("head", head), ("node", node), ("meta__ign", t.void), ("off", t.u64)]
            ),
            ("bpf_list_pop_front", node, [("head", head)]), ("bpf_list_front", node, [("head", head)]),
            (
                "bpf_rbtree_add_impl", t.s32,
                [("root", root), ("node", treeNode), ("less", less), ("meta__ign", t.void), ("off", t.u64)]
            ),
            ("bpf_rbtree_remove", treeNode, [("root", root), ("node", treeNode)]),
            ("bpf_rbtree_first", treeNode, [("root", root)]),
            ("bpf_dynptr_size", t.u32, [("p", constDynptr)]),
            ("bpf_dynptr_clone", t.s32, [("p", constDynptr), ("clone__uninit", dynptr)]),
            (
                "bpf_dynptr_slice", t.void,
                [("p", constDynptr), ("offset", t.u32), ("buffer__opt", t.void), ("buffer__szk", t.u32)]
            ),
            ("bpf_dynptr_memset", t.s32, [("p", dynptr), ("offset", t.u32), ("size", t.u32), ("val", t.u8)]),
            ("bpf_task_acquire", task, [("p", task)]), ("bpf_task_release", .void, [("p", task)]),
            ("bpf_task_from_pid", task, [("pid", t.s32)]),
            ("bpf_iter_task_new", t.s32, [("it", tasks), ("task__nullable", task), ("flags", t.u32)]),
            ("bpf_iter_task_next", task, [("it", tasks)]), ("bpf_iter_task_destroy", .void, [("it", tasks)]),
            ("bpf_wq_init", t.s32, [("wq", work), ("p__map", t.void), ("flags", t.u32)]),
            (
                "bpf_wq_set_callback_impl", t.s32,
                [("wq", work), ("callback_fn", callback), ("flags", t.u32), ("aux__prog", t.void)]
            ),
            ("bpf_key_put", .void, [("p", task)]), ("css_rstat_flush", .void, [("p", task)]),
        ]
        for (name, result, parameters) in list {
            let id = t.b.function(
                name, t.b.prototype(result: result, parameters.map { (name: $0, type: $1) }))
            kfuncs.append(
                KfuncPrototype(
                    name: name, function: BTFRef(btf: 1, id: id),
                    flags: KfuncRule.rule(for: name)?.flags ?? []))
        }
    }

    // MARK: The object

    private static func makeObject() throws(BTFError) -> (BTF, [MapDescription], Int32, [String: TypeID]) {
        var t = Types()
        let lock = t.b.structure("bpf_spin_lock", byteCount: 4, [("val", t.u32, 0)])
        let resilient = t.opaque("bpf_res_spin_lock", words: 1)
        let timer = t.opaque("bpf_timer", words: 2)
        let work = t.opaque("bpf_wq", words: 2)
        let head = t.opaque("bpf_list_head", words: 2)
        let node = t.opaque("bpf_list_node", words: 2)
        let root = t.opaque("bpf_rb_root", words: 2)
        let treeNode = t.opaque("bpf_rb_node", words: 4)
        let count = t.b.structure("bpf_refcount", byteCount: 4, [("val", t.u32, 0)])
        let element = t.b.structure(
            "elem", byteCount: 72,
            [("key", t.u64, 0), ("l", node, 8), ("r", treeNode, 24), ("ref", count, 56), ("data", t.u64, 64)])
        let graph = t.b.structure(
            "graph", byteCount: 40, [("lock", lock, 0), ("head", head, 8), ("root", root, 24)])
        _ = t.b.add(.declTag(name: "contains:elem:l", of: graph, componentIndex: 1))
        _ = t.b.add(.declTag(name: "contains:elem:r", of: graph, componentIndex: 2))
        let task = t.task().type
        let owned = t.b.pointer(to: t.b.add(.typeTag(name: "kptr", of: task)))
        let loose = t.b.pointer(to: t.b.add(.typeTag(name: "kptr_untrusted", of: task)))
        let local = t.b.pointer(to: t.b.add(.typeTag(name: "kptr", of: element)))
        let pointers = t.b.structure(
            "pointers", byteCount: 32,
            [("owned", owned, 0), ("loose", loose, 8), ("local", local, 16), ("x", t.u64, 24)])
        let timed = t.b.structure("timed", byteCount: 24, [("timer", timer, 0), ("n", t.u64, 16)])
        let works = t.b.structure("works", byteCount: 24, [("n", t.u64, 0), ("work", work, 8)])
        let guarded = t.b.structure("guarded", byteCount: 16, [("lock", resilient, 0), ("n", t.u64, 8)])
        func map(_ name: String, _ type: MapType, _ value: TypeID?, _ size: Int, inner: MapDescription? = nil)
            -> MapDescription
        {
            MapDescription(
                name: name, type: type, keySize: type == .ringbuf ? 0 : 4, valueSize: size, maxEntries: 4096,
                valueType: value, inner: inner)
        }
        let plain = map("plain", .hash, nil, 32)
        let maps = [
            plain, map("graph", .hash, graph, 40), map("pointers", .hash, pointers, 32),
            map("timed", .hash, timed, 24), map("works", .hash, works, 24),
            map("guarded", .hash, guarded, 16),
            map("ring", .ringbuf, nil, 0), map("outer", .hashOfMaps, nil, 4, inner: plain),
            map("programs", .progArray, nil, 4), map("array", .array, nil, 16),
        ]
        let functions = addFunctions(&t, task)
        return (try t.b.build(), maps, Int32(element.index), functions)
    }

    /// Global functions whose names say what they take.
    private static func addFunctions(_ t: inout Types, _ task: TypeID) -> [String: TypeID] {
        let pair = t.b.structure("pair", byteCount: 16, [("a", t.u64, 0), ("b", t.u64, 8)])
        let dynptr = t.opaque("bpf_dynptr", words: 2)
        let list: [(String, TypeID, TypeID, [String])] = [
            ("number", t.s32, t.s32, []),
            ("pair", t.s32, t.b.pointer(to: pair), []),
            ("pair_nonnull", t.s32, t.b.pointer(to: pair), ["arg:nonnull"]),
            ("task", t.s32, t.b.pointer(to: task), ["arg:trusted"]),
            ("task_nullable", t.s32, t.b.pointer(to: task), ["arg:trusted", "arg:nullable"]),
            ("context", t.s32, t.void, ["arg:ctx"]),
            ("dynptr", t.s32, t.b.pointer(to: t.b.const(dynptr)), []),
            ("arena", t.s32, t.b.pointer(to: pair), ["arg:arena"]),
            ("unsized", t.s32, t.void, []),
            ("pointer_result", t.void, t.s32, []),
        ]
        var functions: [String: TypeID] = [:]
        for (name, result, argument, tags) in list {
            let id = t.b.function(name, t.b.prototype(result: result, [("a", argument)]))
            for tag in tags { _ = t.b.add(.declTag(name: tag, of: id, componentIndex: 0)) }
            functions[name] = id
        }
        return functions
    }
}

// MARK: Programs

extension ResourceKernel {
    func call(_ kfunc: String) -> Instruction {
        Asm.call(kfunc: Int32(kfuncs.firstIndex { $0.name == kfunc } ?? -1))
    }

    func map(_ register: UInt8, _ name: String) -> [Instruction] {
        Asm.map(register, Int32(maps.firstIndex { $0.name == name } ?? -1))
    }

    /// R6 = a value of the map; a program that finds none ends.
    func value(of name: String, in register: UInt8 = 6, key: Int32 = 0) -> [Instruction] {
        [Asm.store(.word, 10, -4, key)] + map(1, name) + [
            Asm.mov(2, reg: 10), Asm.add(2, -4), Asm.call(helper: "map_lookup_elem"),
            Asm.jump(Opcode.jne, 0, 0, 2), Asm.mov(0, 0), Asm.exit, Asm.mov(register, reg: 0),
        ]
    }

    /// R7 = a new `elem`; a program that gets none ends.
    func new(in register: UInt8 = 7) -> [Instruction] {
        [
            Asm.mov(1, element), Asm.mov(2, 0), call("bpf_obj_new_impl"), Asm.jump(Opcode.jne, 0, 0, 2),
            Asm.mov(0, 0), Asm.exit, Asm.mov(register, reg: 0),
        ]
    }

    func drop(_ register: UInt8) -> [Instruction] {
        [Asm.mov(1, reg: register), Asm.mov(2, 0), call("bpf_obj_drop_impl")]
    }

    /// The verdict on a program: "" if it is accepted, else the problem, after "unsupported: " if it is that.
    ///
    /// - Parameters:
    ///   - functions: name, start and, for a global function, what it takes (see `functions`).
    ///   - isSleepable: whether the program may wait.
    func verdict(
        _ insns: [Instruction], functions: [(name: String, start: Int, takes: String?)] = [],
        isSleepable: Bool = false
    ) -> String {
        let subprogs =
            [ProgramImage.Subprog(name: "main", start: 0)]
            + functions.map {
                ProgramImage.Subprog(
                    name: $0.name, start: $0.start, function: $0.takes.flatMap { self.functions[$0] },
                    isGlobal: $0.takes != nil)
            }
        let image = ProgramImage(
            name: "test", section: "test", insns: insns, subprogs: subprogs, maps: maps, kfuncs: kfuncs,
            btf: object)
        var context = ProgramContext(
            name: "test", arguments: .unknown, target: btf, targetID: 1, result: .scalar,
            helpers: Set(HelperPrototype.known.keys), isSleepable: isSleepable)
        context.passesWalkedPointers = true
        switch verify(image, in: context) {
        case .accepted: return ""
        case .rejected(let report): return report.problem
        case .unsupported(let report): return "unsupported: " + report.problem
        }
    }

    static let done = [Asm.mov(0, 0), Asm.exit]
}
