package import BPF
internal import KernelABI
internal import OpsCore
internal import Verifier

/// The sockets of a world and the data of its programs at one moment.
package struct WorldDump: Sendable {
    /// The op that is about to run.
    package struct Call: Sendable {
        package var flow: String
        package var side: String
        package var op: String
        package var arguments: [(name: String, value: Int64)]
    }
    package struct Socket: Sendable {
        package var flow: String
        package var side: String
        /// Ops name of its congestion control.
        package var control: String
        /// Scalars of `tcp_sock` by their names, in its order; each fits 64 bits, with or without a sign.
        package var fields: [(name: String, value: Int128)]
    }
    /// A map, or a section of global variables (`.data`, `.bss`, `.rodata`, `.kconfig`).
    package struct Map: Sendable {
        package var name: String
        package var elements: [(key: BTFValue, value: BTFValue)]
        /// Why there are no elements.
        package var problem: String?
    }
    /// Nanoseconds.
    package var time: Int64
    package var call: Call?
    /// The one whose op is about to run; else both of each open connection.
    package var sockets: [Socket]
    package var maps: [Map]
}

/// Why and how a world has thrown programs out.
package struct EjectionReport: Sendable {
    /// One op call.
    package struct Call: Sendable {
        /// Nanoseconds.
        package var time: Int64
        package var flow: String
        package var side: String
        package var op: String
        package var arguments: [(name: String, value: Int64)]
        /// nil: the op returns nothing.
        package var result: UInt32?
    }
    package var excess: ProgramExcess
    /// Of the registration's ops, oldest first; timers' callbacks are not among them.
    package var lastCalls: [Call]
    package var dump: WorldDump
}

extension World {
    /// Elements shown of one map.
    private static let elementsMax = 1024

    /// - Parameter call: the op that is about to run; nil: none is.
    func dump(at call: OpCall?) -> WorldDump {
        let fields = SocketFields()
        var sockets: [WorldDump.Socket] = []
        if let call {
            sockets = [socket(call.flow, call.side, fields)]
        } else {
            for index in 0..<flowCount where (engine.pointee.flows + index).isOpen {
                let flow = engine.pointee.flows + index
                sockets += [socket(flow, .sender, fields), socket(flow, .receiver, fields)]
            }
        }
        return WorldDump(
            time: now,
            call: call.map { call in
                WorldDump.Call(
                    flow: flowNames[Int(call.flow.pointee.index)], side: call.side.name,
                    op: call.op.description, arguments: call.arguments.named)
            }, sockets: sockets,
            maps: controls.instances.flatMap { instance in instance.maps.map { Self.dump($0, instance) } })
    }

    /// What went over its budget: its last calls, the socket whose op call was one too many, as it was then, and the data
    /// that the programs have left.
    func report(of ejected: EjectedControl) -> EjectionReport {
        let instance = controls.registrationOps(of: ejected.number)?.instance
        var dump = WorldDump(
            time: ejected.time, call: nil, sockets: [],
            maps: instance.map { instance in instance.maps.map { Self.dump($0, instance) } } ?? [])
        if let then = ejected.socket {
            var copy = then.copy
            dump.sockets = [
                withUnsafeMutablePointer(to: &copy) { copy in
                    self.socket(
                        engine.pointee.flows + Int(then.flow), then.side, SocketFields(), copy,
                        control: ejected.name)
                }
            ]
        }
        let calls = ejected.calls.map { call in
            EjectionReport.Call(
                time: call.time, flow: flowNames[Int(call.flow)], side: call.side.name, op: call.op.name,
                arguments: call.arguments, result: call.result)
        }
        return EjectionReport(excess: ejected.excess, lastCalls: calls, dump: dump)
    }

    private func socket(_ flow: Flow, _ side: Side, _ fields: SocketFields) -> WorldDump.Socket {
        let name = withUnsafeBytes(of: flow.ops(side).pointee.name) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        return socket(flow, side, fields, side == .sender ? flow.tp : flow.rp, control: name)
    }

    private func socket(
        _ flow: Flow, _ side: Side, _ fields: SocketFields, _ socket: TCPSock, control name: String
    ) -> WorldDump.Socket {
        let bytes = fields.read(socket)
        return WorldDump.Socket(
            flow: flowNames[Int(flow.pointee.index)], side: side.name, control: name,
            fields: fields.fields.map { ($0.name, fields.value($0, in: bytes)) })
    }

    private static func dump(_ map: RuntimeMap, _ instance: Instance) -> WorldDump.Map {
        var dump = WorldDump.Map(name: map.description.name, elements: [])
        do throws(OpsError) {
            let types = (map.description.keyType, map.description.valueType)
            dump.elements = try map.elements(limit: elementsMax).map { element in
                (value(of: types.0, element.key, instance), value(of: types.1, element.value, instance))
            }
        } catch {
            dump.problem = error.text
        }
        return dump
    }

    /// Addresses as numbers that are the same in every run.
    private static func value(of type: TypeID?, _ bytes: [UInt8], _ instance: Instance) -> BTFValue {
        guard let btf = instance.btf, let type,
            let value = btf.value(
                of: type, in: bytes, pointer: { _, address in .pointer(instance.stableAddress(address)) })
        else { return .bytes(bytes) }
        return value
    }
}

extension Side {
    var name: String { self == .sender ? "sender" : "receiver" }
}
