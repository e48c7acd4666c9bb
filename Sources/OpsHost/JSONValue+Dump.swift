import ControlAPI
import Netsim
import OpsCore

extension JSONValue {
    /// What is kept with the record of an ejection.
    init(_ report: EjectionReport) {
        self = [
            "kind": .string(report.excess.kind), "budget": .string(report.excess.budget.rawValue),
            "limit": .integer(Int64(clamping: report.excess.limit)),
            "value": .integer(Int64(clamping: report.excess.value)),
            "last_calls": .array(report.lastCalls.map { JSONValue($0) }), "dump": JSONValue(report.dump),
        ]
    }

    private init(_ call: EjectionReport.Call) {
        self = [
            "t_s": .double(Double(call.time) / 1e9), "flow": .string(call.flow), "side": .string(call.side),
            "op": .string(call.op),
            "args": .object(call.arguments.map { Member($0.name, .integer($0.value)) }),
            "result": call.result.map { .integer(Int64($0)) } ?? .null,
        ]
    }

    /// What `sim run --break` and `--at` print.
    init(_ dump: WorldDump) {
        self = [
            "t_s": .double(Double(dump.time) / 1e9), "call": dump.call.map { JSONValue($0) } ?? .null,
            "sockets": .array(dump.sockets.map { JSONValue($0) }),
            "maps": .array(dump.maps.map { JSONValue($0) }),
        ]
    }

    private init(_ call: WorldDump.Call) {
        self = [
            "flow": .string(call.flow), "side": .string(call.side), "op": .string(call.op),
            "args": .object(call.arguments.map { Member($0.name, .integer($0.value)) }),
        ]
    }

    private init(_ socket: WorldDump.Socket) {
        self = [
            "flow": .string(socket.flow), "side": .string(socket.side), "cc": .string(socket.control),
            "tcp_sock": .object(socket.fields.map { Member($0.name, JSONValue($0.value)) }),
        ]
    }

    private init(_ value: Int128) {
        self = Int64(exactly: value).map { .integer($0) } ?? .hex(UInt64(truncatingIfNeeded: value))
    }

    private init(_ map: WorldDump.Map) {
        self = [
            "name": .string(map.name),
            "elements": .array(
                map.elements.map { element in
                    ["key": JSONValue(DumpValue(element.key)), "value": JSONValue(DumpValue(element.value))]
                }), "problem": map.problem.map { .string($0) } ?? .null,
        ]
    }
}
