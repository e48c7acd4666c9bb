import BPF
import Testing
import Verifier

@testable import OpsCore

/// What libbpf refuses between open and load, each error with its place and its numbers.
@Suite("link refusals") struct LinkerRefusalTests {
    struct Refusal: CustomTestStringConvertible, Sendable {
        var name: String
        var source: String
        var errno: CInt
        var member: String?
        /// Must occur in text or reason.
        var says: [String]
        var testDescription: String { name }

        init(_ name: String, _ errno: CInt, _ says: [String], member: String? = nil, _ source: String) {
            self.name = name
            self.source = source
            self.errno = errno
            self.member = member
            self.says = says
        }
    }

    static let programs = """
        SEC("struct_ops") void on_init(__u64 *slots) {}
        SEC("struct_ops") __u32 on_ssthresh(__u64 *slots) { return 2; }

        """

    static func ops(_ members: String, _ values: String) -> String {
        """
        struct sock;
        struct tcp_congestion_ops { void (*init)(struct sock *sk); \(members) };
        SEC("struct_ops") void on_init(__u64 *slots) {}
        SEC(".struct_ops") struct tcp_congestion_ops ops = {.init = (void *)on_init, \(values)};
        """
    }

    static let refusals = [
        Refusal(
            "unknown type", OpsError.esrch, ["struct nobody is not found in kernel BTF"],
            "struct nobody { int x; }; SEC(\".struct_ops\") struct nobody ops = {1};"),
        Refusal(
            "value struct without the type", OpsError.einval,
            ["bpf_struct_ops_no_such_member has no member of type"],
            "struct no_such_member { int x; }; SEC(\".struct_ops\") struct no_such_member ops = {1};"),
        Refusal(
            "data for a member that the kernel has not", OpsError.eopnotsupp,
            ["Cannot find member colour in kernel BTF", "value 7 (0x7)", "the test kernel"],
            member: "tcp_congestion_ops.colour", ops("int colour;", ".colour = 7")),
        Refusal(
            "program for a member that the kernel has not", OpsError.eopnotsupp,
            ["Cannot find member late in kernel BTF", "prog 'on_init'"], member: "tcp_congestion_ops.late",
            ops("void (*late)(void);", ".late = (void *)on_init")),
        Refusal(
            "member of another kind", OpsError.eopnotsupp,
            ["Unmatched member type flags STRUCT != INT(kernel)", "'struct two'"],
            member: "tcp_congestion_ops.flags", ops("struct two { short a, b; } flags;", "")),
        Refusal(
            "member of another size", OpsError.eopnotsupp, ["Error in size of member wide: 4 != 8(kernel)"],
            member: "tcp_congestion_ops.wide", ops("__u32 wide;", "")),
        Refusal(
            "bit field here", OpsError.eopnotsupp, ["bit-field member"], member: "tcp_congestion_ops.flags",
            ops("__u32 flags : 4;", "")),
        Refusal(
            "bit field there", OpsError.eopnotsupp, ["the kernel's member is a bit field"],
            member: "tcp_congestion_ops.bits", ops("__u32 bits;", "")),
        Refusal(
            "program in a data pointer", OpsError.eopnotsupp, ["kernel member owner is not a func ptr"],
            member: "tcp_congestion_ops.owner", ops("void (*owner)(void);", ".owner = (void *)on_init")),
        Refusal(
            "pointer that is no program", OpsError.eopnotsupp, ["pointer value 4096 (0x1000) is no program"],
            member: "tcp_congestion_ops.owner", ops("void *owner;", ".owner = (void *)4096")),
        Refusal(
            "one program for two members", OpsError.einval,
            ["invalid reuse of prog 'on_init'", "for tcp_congestion_ops.init already"],
            member: "ssthresh", ops("__u32 (*ssthresh)(struct sock *sk);", ".ssthresh = (void *)on_init")),
        Refusal(
            "program that nothing names", OpsError.einval,
            ["SEC(\"struct_ops\") program isn't referenced anywhere, did you forget to use it?"], programs),
        Refusal(
            "missing kfunc", OpsError.esrch,
            ["extern (func ksym) 'tcp_renoo_ssthresh': not found in kernel or module BTFs"],
            """
            extern __u32 tcp_renoo_ssthresh(void *sk) __ksym;
            SEC("?struct_ops") __u32 f(__u64 *slots) { return tcp_renoo_ssthresh((void *)slots[0]); }
            """),
        Refusal(
            "kfunc of another prototype", OpsError.einval,
            ["'takes_two': func_proto", "incompatible", "1 parameters"],
            """
            extern void takes_two(void *sk) __ksym;
            SEC("?struct_ops") void f(__u64 *slots) { takes_two((void *)slots[0]); }
            """),
        Refusal(
            "kernel variable", OpsError.esrch, ["extern 'jiffies' (strong): not resolved", "not modelled"],
            """
            extern const void jiffies __ksym;
            SEC("?struct_ops") __u64 f(__u64 *slots) { return (__u64)&jiffies; }
            """),
        Refusal(
            "configuration that is not set", OpsError.esrch, ["extern 'CONFIG_NONE' (strong): not resolved"],
            "extern int CONFIG_NONE __kconfig; SEC(\"?struct_ops\") int f(__u64 *slots) { return CONFIG_NONE; }"
        ),
        Refusal(
            "unknown virtual extern", OpsError.einval, ["'LINUX_HAS_MAGIC': unrecognized virtual extern"],
            "extern int LINUX_HAS_MAGIC __kconfig; SEC(\"?struct_ops\") int f(__u64 *s) { return LINUX_HAS_MAGIC; }"
        ),
        Refusal(
            "configuration of another type", OpsError.einval,
            ["extern (kcfg) 'CONFIG_HZ': value '250' does not fit"],
            "extern bool CONFIG_HZ __kconfig; SEC(\"?struct_ops\") int f(__u64 *slots) { return CONFIG_HZ; }"),
    ]

    @Test("name member, kind, size and value", arguments: refusals)
    func refuses(_ refusal: Refusal) throws {
        do {
            _ = try TestKernel.link(refusal.source)
            Issue.record("was linked")
        } catch let error as OpsError {
            #expect(error.errno == refusal.errno, "\(error)")
            #expect(error.location.member == refusal.member, "\(error)")
            let text = "\(error.text); \(error.reason ?? "")"
            for part in refusal.says { #expect(text.contains(part), "\(text)") }
        }
    }

    @Test("a name that is close is suggested")
    func suggestsKfunc() throws {
        do {
            _ = try TestKernel.link(
                """
                extern __u32 tcp_renoo_ssthresh(void *sk) __ksym;
                SEC("?struct_ops") __u32 f(__u64 *slots) { return tcp_renoo_ssthresh((void *)slots[0]); }
                """)
            Issue.record("was linked")
        } catch let error as OpsError {
            #expect(error.suggestion == "did you mean 'tcp_reno_ssthresh'?")
        }
    }

    @Test("a member that the kernel has not and that is zero is skipped")
    func skipsZeroMember() throws {
        let object = try TestKernel.link(Self.ops("int colour; void (*late)(void);", ""))
        #expect(object.structOps[0].members.map(\.action) == [.program("on_init"), .skipped, .skipped])
        #expect(
            object.notes.contains {
                $0.contains("member colour not found in kernel, skipping it as it's set to zero")
            })
    }

    @Test("one program may serve the same member of several maps")
    func sharesPrograms() throws {
        let object = try TestKernel.link(
            TestKernel.types + Self.programs + """
                SEC(".struct_ops") struct tcp_congestion_ops a = {(void *)on_ssthresh, (void *)on_init, "a"};
                SEC(".struct_ops.link") struct tcp_congestion_ops b = {(void *)on_ssthresh, (void *)on_init, "b"};
                """)
        #expect(object.programs.count == 2)
        #expect(object.structOps.map { $0.programs.map(\.program) } == [[0, 1], [0, 1]])
    }

    @Test("a flavour of the struct is that struct")
    func stripsFlavour() throws {
        let object = try TestKernel.link(
            """
            struct sock;
            struct tcp_congestion_ops___old { void (*init)(struct sock *sk); int gone; };
            SEC("struct_ops") void on_init(__u64 *slots) {}
            SEC(".struct_ops") struct tcp_congestion_ops___old ops = {.init = (void *)on_init};
            """)
        #expect(object.structOps[0].typeName == "tcp_congestion_ops")
    }

    @Test("keeping going records what failed and links the rest")
    func keepsGoing() throws {
        let source =
            TestKernel.types + Self.programs + """
                struct nobody { int x; };
                SEC(".struct_ops") struct nobody bad = {1};
                SEC(".struct_ops") struct tcp_congestion_ops good = {(void *)on_ssthresh, (void *)on_init, "good"};
                """
        #expect(throws: OpsError.self) { try TestKernel.link(source) }
        let object = try TestKernel.link(source) { $0.keepsGoing = true }
        #expect(object.structOps.map(\.name) == ["good"])
        #expect(object.failures.map(\.location.map) == ["bad"])
        // What is not asked for cannot fail.
        #expect(try TestKernel.link(source) { $0.selection = .named(["good"]) }.failures.isEmpty)
        #expect(throws: OpsError.self) { try TestKernel.link(source) { $0.selection = .named(["missing"]) } }
    }

    @Test("global variables are set by name and size")
    func setsGlobals() throws {
        let source = "int counter = 1; SEC(\"?struct_ops\") int f(__u64 *slots) { return counter++; }"
        let object = try TestKernel.link(source) { $0.globals = ["counter": [9, 0, 0, 0]] }
        #expect(object.maps[0].contents == [9, 0, 0, 0])
        #expect(throws: OpsError.self) { try TestKernel.link(source) { $0.globals = ["counter": [9]] } }
        #expect(throws: OpsError.self) { try TestKernel.link(source) { $0.globals = ["other": [9]] } }
    }

    @Test("a map that cannot be made poisons what uses it")
    func poisonsUnsupportedMap() throws {
        let object = try TestKernel.link(
            TestKernel.types + """
                struct { __uint(type, 2); __type(key, __u32); __type(value, __u64); __uint(max_entries, 1);
                         __uint(pinning, 1); } shared SEC(".maps");
                SEC("struct_ops") void on_init(__u64 *slots) { __u32 key = 0; bpf_map_lookup_elem(&shared, &key); }
                SEC(".struct_ops") struct tcp_congestion_ops ops = {.init = (void *)on_init};
                """)
        let poisons = object.programs[0].image.poisons
        #expect(poisons.count == 1)
        #expect(
            poisons.first?.value.contains("BPF map 'shared' is referenced but wasn't created: it is pinned")
                == true)
    }
}
