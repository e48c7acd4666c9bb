import BPF
package import ControlAPI
import OpsCore

extension RuntimeHost {
    /// A header that programs can be compiled against, in the manner of vmlinux.h.
    package func btfAsC() throws(Refusal) -> String {
        try refusing { () throws(OpsError) in try kernelTypes().dumpC() }
    }

    /// bpftool's listing: `[12] STRUCT 'tcp_congestion_ops' size=192 vlen=18`.
    package func btfAsRawText() throws(Refusal) -> String {
        try refusing { () throws(OpsError) in try kernelTypes().dumpRaw() }
    }

    /// The same for programs: an object per type, with the listing's text.
    package func btfAsRawJSON() throws(Refusal) -> [JSONValue] {
        let btf = try refusing { () throws(OpsError) in try kernelTypes() }
        return (1..<max(1, btf.count)).map { index in
            let id = TypeID(index)
            var json: JSONValue = ["id": .integer(Int64(index)), "raw": .string(btf.rawText(of: id))]
            if let name = btf[id].name { json = json.setting("name", to: .string(name)) }
            return json
        }
    }
}
