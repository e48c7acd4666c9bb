import BPF
import Testing
import Verifier

@testable import OpsCore

/// A small kernel to link against, made from C.
enum TestKernel {
    static let source = """
        struct sock { int family; };
        struct module;
        struct bpf_struct_ops_common_value { int refcnt; int state; };
        struct pair { int a, b; };
        struct tcp_congestion_ops {
            void (*init)(struct sock *sk);
            char name[16];
            __u32 key;
            __u32 flags;
            __u32 bits : 3;
            __u64 wide;
            struct pair pair;
            struct module *owner;
            __u32 (*ssthresh)(struct sock *sk);
        };
        struct bpf_struct_ops_tcp_congestion_ops {
            struct bpf_struct_ops_common_value common;
            struct tcp_congestion_ops data;
        };
        struct bpf_struct_ops_no_such_member { struct bpf_struct_ops_common_value common; int data; };
        struct no_such_member { int x; };
        __u32 tcp_reno_ssthresh(struct sock *sk) { return 0; }
        void takes_two(struct sock *sk, __u32 x) {}
        void types(struct bpf_struct_ops_tcp_congestion_ops *a, struct bpf_struct_ops_no_such_member *b,
                   struct no_such_member *c) {}
        """

    private static let parsed = Result {
        let elf = try ELFFile(parsing: try CompiledObject.bytes(compiling: source))
        return try BTF(parsing: Array(elf.contents(of: #require(elf.section(named: ".BTF")))))
    }

    static func options() throws -> LinkOptions {
        let btf = try parsed.get()
        var kfuncs: [String: KfuncPrototype] = [:]
        for name in ["tcp_reno_ssthresh", "takes_two"] {
            let id = try #require(btf.function(named: name)).id
            kfuncs[name] = KfuncPrototype(name: name, function: BTFRef(btf: 1, id: id))
        }
        return LinkOptions(
            target: btf, kconfig: ["CONFIG_HZ": .number(250), "CONFIG_TCP_CONG_CUBIC": .yes], kfuncs: kfuncs,
            targetName: "the test kernel")
    }

    /// Links C text; `types` declares a local `struct tcp_congestion_ops` with two members.
    static func link(
        _ text: String, _ change: (inout LinkOptions) -> Void = { _ in }
    ) throws -> LinkedObject {
        var options = try options()
        change(&options)
        let object = try parseObject(try CompiledObject.bytes(compiling: text), name: "test.bpf.o")
        return try OpsCore.link(object, options: options)
    }

    static let types = """
        struct sock;
        struct tcp_congestion_ops { __u32 (*ssthresh)(struct sock *sk); void (*init)(struct sock *sk); char name[16]; };
        char licence[] SEC("license") = "GPL";

        """
}
