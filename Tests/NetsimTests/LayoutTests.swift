import BPF
import KernelABI
import OpsCore
import Testing

@testable import Netsim

/// What programs are relocated against is what the simulator reads and writes.
@Suite("Layout") struct LayoutTests {
    static func kernelBTF() throws -> BTF {
        let bytes = UnsafeBufferPointer(start: kernel_abi_btf_start(), count: kernel_abi_btf_size)
        return try BTF(parsing: [UInt8](bytes))
    }

    static var hostMembers: [(structure: String, member: String, offset: Int, size: Int)] {
        UnsafeBufferPointer(start: kernel_abi_members_start(), count: kernel_abi_member_count).map { entry in
            (
                String(cString: entry.structure), String(cString: entry.member), Int(entry.offset),
                Int(entry.size)
            )
        }
    }

    @Test("every member that C can name has the BTF's offset and size")
    func offsetsAgree() throws {
        let btf = try Self.kernelBTF()
        let members = Self.hostMembers
        #expect(members.count > 150)
        for (structure, member, offset, size) in members {
            let type = try #require(btf.composite(named: structure)?.type, "\(structure)")
            let field = try #require(type.members.first { $0.name == member }, "\(structure).\(member)")
            #expect(field.bitFieldSize == 0)
            #expect(field.byteOffset == offset, "\(structure).\(member)")
            #expect(btf.byteCount(of: field.type) == size, "\(structure).\(member)")
        }
    }

    @Test("the table names every member of the shared structs but bit fields")
    func tableIsComplete() throws {
        let btf = try Self.kernelBTF()
        let members = Self.hostMembers
        for structure in [
            "sock_common", "sock", "inet_sock", "inet_connection_sock", "tcp_sock", "rate_sample",
            "ack_sample", "tcp_congestion_ops", "tcp_rack", "bpf_struct_ops_common_value",
        ] {
            let type = try #require(btf.composite(named: structure)?.type)
            for field in type.members where field.bitFieldSize == 0 {
                #expect(
                    members.contains { $0.structure == structure && $0.member == field.name },
                    "\(structure).\(field.name)")
            }
        }
    }

    @Test("Swift's view of the structs has the BTF's size")
    func sizesAgree() throws {
        let btf = try Self.kernelBTF()
        func size(_ name: String) -> Int? { btf.composite(named: name)?.type.byteCount }
        #expect(size("tcp_sock") == MemoryLayout<tcp_sock>.size)
        #expect(size("sock") == MemoryLayout<sock>.size)
        #expect(size("rate_sample") == MemoryLayout<rate_sample>.size)
        #expect(size("tcp_congestion_ops") == MemoryLayout<tcp_congestion_ops>.size)
        #expect(
            size("bpf_struct_ops_tcp_congestion_ops") == MemoryLayout<bpf_struct_ops_tcp_congestion_ops>.size)
    }

    @Test("bit fields lie where the BTF says")
    func bitFieldsAgree() throws {
        let btf = try Self.kernelBTF()
        let icsk = try #require(btf.composite(named: "inet_connection_sock")?.type)
        let state = try #require(icsk.members.first { $0.name == "icsk_ca_state" })
        #expect(state.bitFieldSize == 5)
        var value = tcp_sock()
        value.inet_conn.icsk_ca_state = 0x1f
        withUnsafeBytes(of: &value) { bytes in
            #expect(bytes[state.bitOffset / 8] == 0x1f << UInt8(state.bitOffset % 8))
        }
    }

    @Test("every kfunc offered has a FUNC of its name")
    func kfuncsHavePrototypes() throws {
        let btf = try Self.kernelBTF()
        for kfunc in Kfuncs.all { #expect(btf.function(named: kfunc.name) != nil, "\(kfunc.name)") }
    }

    @Test("what the built-ins keep fits icsk_ca_priv") func statesFit() {
        #expect(MemoryLayout<Cubic>.size <= 104)
        #expect(MemoryLayout<BBR>.size <= 104)
        #expect(MemoryLayout<DCTCP>.size <= 104)
    }

    @Test("cube roots are exact", arguments: [0, 1, 7, 8, 26, 27, 1 << 40, UInt64.max, 2_681_735_677_000])
    func cubeRoot(_ value: UInt64) {
        let root = UInt128(Cubic.cubeRoot(value))
        #expect(root * root * root <= UInt128(value))
        #expect((root + 1) * (root + 1) * (root + 1) > UInt128(value))
    }
}
