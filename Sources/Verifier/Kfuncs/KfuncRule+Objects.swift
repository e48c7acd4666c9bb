/// Objects of the program's own types, and the lists and trees they are kept in.
/// Source: docs.kernel.org/bpf/graph_ds_impl.html, docs.ebpf.io.
extension KfuncRule {
    static let objects: [KfuncRule] = [
        KfuncRule("bpf_obj_new_impl", [.acquire, .retNull], .newObject(isPercpu: false)),
        KfuncRule("bpf_percpu_obj_new_impl", [.acquire, .retNull], .newObject(isPercpu: true)),
        KfuncRule("bpf_obj_drop_impl", .release, .dropObject),
        KfuncRule("bpf_percpu_obj_drop_impl", .release, .dropObject),
        KfuncRule("bpf_refcount_acquire_impl", [.acquire, .retNull, .rcu], .acquireCount),
    ]

    static let graphs: [KfuncRule] = [
        KfuncRule("bpf_list_push_front_impl", [], .listPush),
        KfuncRule("bpf_list_push_back_impl", [], .listPush),
        KfuncRule("bpf_list_pop_front", [.acquire, .retNull], .listPop),
        KfuncRule("bpf_list_pop_back", [.acquire, .retNull], .listPop),
        KfuncRule("bpf_list_front", .retNull, .listPeek),
        KfuncRule("bpf_list_back", .retNull, .listPeek),
        KfuncRule("bpf_rbtree_add_impl", [], .treeAdd),
        KfuncRule("bpf_rbtree_remove", [.acquire, .retNull], .treeRemove),
        KfuncRule("bpf_rbtree_first", .retNull, .treePeek),
        KfuncRule("bpf_rbtree_root", .retNull, .treePeek),
        KfuncRule("bpf_rbtree_left", .retNull, .treePeek),
        KfuncRule("bpf_rbtree_right", .retNull, .treePeek),
    ]
}
