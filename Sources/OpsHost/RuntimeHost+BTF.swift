import BPF
package import ControlAPI
import OpsCore

extension RuntimeHost {
    /// A header that programs can be compiled against, in the manner of vmlinux.h.
    package func btfAsC() throws(Refusal) -> String {
        throw .notBuiltYet("'btf dump format c'")
    }

    /// bpftool's listing: `[12] STRUCT 'tcp_congestion_ops' size=192 vlen=18`.
    package func btfAsRawText() throws(Refusal) -> String {
        throw .notBuiltYet("'btf dump format raw'")
    }

    package func btfAsRawJSON() throws(Refusal) -> [JSONValue] {
        throw .notBuiltYet("'btf dump format raw' as JSON")
    }
}

extension Refusal {
    /// What is not built says so, rather than doing half of it.
    static func notBuiltYet(_ what: String) -> Refusal {
        Refusal("unsupported", errno: 95, "\(what) is not built yet")
    }
}
