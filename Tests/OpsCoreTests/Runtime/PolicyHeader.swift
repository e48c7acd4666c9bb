/// A made-up kernel interface, as a host of OpsCore would describe it in C: one type found by name, one by target id.
enum PolicyHeader {
    static let text = """
        typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long u64;
        typedef signed char s8; typedef _Bool bool;
        enum bpf_struct_ops_state {
            BPF_STRUCT_OPS_STATE_INIT, BPF_STRUCT_OPS_STATE_INUSE, BPF_STRUCT_OPS_STATE_TOBEFREE,
            BPF_STRUCT_OPS_STATE_READY,
        };
        typedef struct { int counter; } atomic_t;
        typedef struct { atomic_t refs; } refcount_t;
        struct bpf_struct_ops_common_value { refcount_t refcnt; enum bpf_struct_ops_state state; };
        struct module;
        struct policy { int value; u32 calls; };

        struct policy_ops {
            u32 (*ssthresh)(struct policy *p);
            int (*adjust)(struct policy *p, int a, int b);
            bool (*allow)(struct policy *p);
            s8 (*small)(struct policy *p);
            u16 (*medium)(struct policy *p);
            void (*notify)(struct policy *p, u8 what);
            u64 (*get_info)(struct policy *p);
            char name[16];
            struct module *owner;
            u32 flags;
            u64 key;
            u32 tail;
        };
        struct bpf_struct_ops_policy_ops { struct bpf_struct_ops_common_value common; struct policy_ops data; };

        struct device_ops {
            int device_id;
            int (*event)(struct policy *p);
        };
        struct bpf_struct_ops_device_ops { struct bpf_struct_ops_common_value common; struct device_ops data; };
        """

    /// What makes the BTF: a parameter brings its type in whole, a FUNC is a kfunc or a stub.
    static let btfSource =
        text + """

            void types(struct bpf_struct_ops_policy_ops *a, struct bpf_struct_ops_device_ops *b) {}
            u32 policy_half(u32 x) { return x; }
            void policy_drop(struct policy *p) {}
            int adjust_old(struct policy *p, int b) { return 0; }
            int event__stub(struct policy *p__nullable) { return 0; }
            """
}

/// Programs for those types. Everything a test varies is a macro.
enum PolicyObject {
    static func source(
        name: String = "pol", section: String = ".struct_ops", flags: Int = 0, value: String = "p->value",
        adjust: String = "(int)ctx[1] - (int)ctx[2]", license: String = "GPL", extra: String = "",
        members: String = ""
    ) -> String {
        """
        #define SEC(name) __attribute__((section(name), used))
        \(PolicyHeader.text)
        char _license[] SEC("license") = "\(license)";
        u32 total;
        SEC("struct_ops/ssthresh") u64 pol_ssthresh(u64 *ctx) {
            struct policy *p = (struct policy *)ctx[0];
            total++;
            return \(value);
        }
        SEC("struct_ops/adjust") u64 pol_adjust(u64 *ctx) { return \(adjust); }
        \(extra)
        SEC("\(section)") struct policy_ops \(name) = {
            .ssthresh = (void *)pol_ssthresh, .adjust = (void *)pol_adjust, .name = "\(name.prefix(15))", .flags = \(flags),
            \(members)
        };
        """
    }
}
