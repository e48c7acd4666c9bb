package import BPF

/// Why no context could be made for a section.
package enum ContextError: Error, Equatable {
    case unknownSection(String)
    /// The type of program is known, and nothing is built for it.
    case unsupported(section: String, reason: String)
    /// `target` names no such thing in the BTF.
    case unknownTarget(section: String, wanted: String)
    case missingTarget(section: String, example: String)
}

extension ProgramContext {
    /// The BTF to judge against, with its identity in `BTFRef`s.
    package struct Types: Sendable {
        package var btf: BTF
        package var id: UInt32

        package init(btf: BTF, id: UInt32) {
            self.btf = btf
            self.id = id
        }
    }

    /// The context that a kernel gives a program of this section, as libbpf loads it.
    ///
    /// struct_ops sections have none of their own: the member decides, see `RegisteredType.context`.
    ///
    /// - Parameters:
    ///   - section: name of the ELF section, with or without a leading `?`.
    ///   - types: where kernel functions and tracepoints are looked up.
    package static func derived(
        fromSection section: String, types: Types? = nil
    ) throws(ContextError) -> ProgramContext {
        guard let definition = SectionDefinition(section: section) else {
            throw .unknownSection(section)
        }
        let (type, attach) = (definition.type, definition.attach)
        var context = ProgramContext(
            name: definition.definition, arguments: .unknown, target: types?.btf, targetID: types?.id ?? 1,
            result: type.result(attach), helpers: HelperAvailability.helpers(for: type, attach),
            isSleepable: definition.isSleepable)
        context.refusedKfuncs = KfuncAvailability.refused(to: type, attach)
        context.packets = type.packetRules
        context.passesWalkedPointers = true
        context.refusesLocks = type.refusesLocks
        switch type {
        case .tracing, .lsm:
            let hook = try definition.hook(types, section)
            context.arguments = .hook(hook)
            if let range = hook.resultRange { context.result = .range(range) }
        case .structOps:
            throw .unsupported(
                section: section, reason: "no struct_ops variable or type says which member it is for")
        case .ext:
            throw .unsupported(
                section: section, reason: "a program that replaces a function needs the program it belongs to"
            )
        default:
            guard let view = type.view(attach) else {
                throw .unsupported(section: section, reason: "its context is not described here")
            }
            context.arguments = .view(view)
        }
        return context
    }

    /// What any program of the kernel may call, and so any struct_ops member too.
    package static var genericHelpers: Set<Int32> { HelperAvailability.helpers(for: .structOps, .plain) }

    /// What no struct_ops member may call, of the kernel's kfuncs.
    package static let kfuncsRefusedToStructOps = KfuncAvailability.refused(to: .structOps, .plain)

    /// Whether `derived` knows the name.
    package static func isSection(_ name: String) -> Bool { SectionDefinition(section: name) != nil }

    /// Every section name that is known; those that take a target end with `/`.
    package static var sections: [String] { SectionDefinition.known }

    /// For any program: nothing is known of R1, every helper may be called, R0 may be any number.
    package static func unconstrained(section: String, types: Types? = nil) -> ProgramContext {
        let name = section.hasPrefix("?") ? section.dropFirst() : section[...]
        let isSleepable =
            SectionDefinition(section: section)?.isSleepable ?? name.prefix { $0 != "/" }.hasSuffix(".s")
        var context = ProgramContext(
            name: "none", arguments: .unknown, target: types?.btf, targetID: types?.id ?? 1, result: .scalar,
            helpers: HelperAvailability.everywhere, isSleepable: isSleepable)
        context.packets = .none
        context.passesWalkedPointers = true
        return context
    }
}

extension ProgramType {
    /// Why programs of this type may not use what needs a lock: they may interrupt whoever holds it.
    fileprivate var refusesLocks: String? {
        switch self {
        case .kprobe, .tracepoint, .perfEvent, .rawTracepoint, .rawTracepointWritable: "tracing progs"
        case .socketFilter: "socket filter progs"
        default: nil
        }
    }

    /// The struct behind R1; nil where a prototype says it, or nothing does.
    fileprivate func view(_ attach: AttachType) -> StructView? {
        switch self {
        case .socketFilter: .socketFilter
        case .kprobe: .registers
        case .schedCLS, .schedACT: .traffic
        case .tracepoint: .tracepoint
        case .xdp: .xdp(isDevmap: attach == .xdpDevmap)
        case .perfEvent: .performanceEvent
        case .cgroupSKB: .cgroupSKB
        case .cgroupSock:
            switch attach {
            case .postBind4: .boundSocket(isIPv6: false)
            case .postBind6: .boundSocket(isIPv6: true)
            default: .newSocket
            }
        case .lwtIn, .lwtOut, .lwtXmit, .lwtSeg6local: .lightweightTunnel
        case .sockOps: .sockOps
        case .skSKB: .streamParser
        case .cgroupDevice: .device
        case .skMsg: .message
        case .rawTracepoint: .rawTracepoint
        case .rawTracepointWritable: .rawTracepointWritable
        case .cgroupSockAddr: attach.addressView
        case .lircMode2: .infrared
        case .skReuseport: .reuseport
        case .flowDissector: .flowDissector
        case .cgroupSysctl: .sysctl
        case .cgroupSockopt: .socketOption(isSet: attach == .setsockopt)
        case .skLookup: .socketLookup
        case .syscall: .systemCall
        case .netfilter: .netfilter
        case .tracing, .lsm, .ext, .structOps: nil
        }
    }

    /// What R0 may be at exit. Source: measured on Linux 6.18.
    fileprivate func result(_ attach: AttachType) -> ProgramContext.Result {
        switch self {
        case .cgroupSKB: .range(0...(attach == .cgroupEgress ? 3 : 1))
        case .cgroupSock, .sockOps, .cgroupDevice, .cgroupSysctl, .cgroupSockopt, .skLookup, .netfilter:
            .range(0...1)
        case .kprobe: attach == .kprobeSession ? .range(0...1) : .scalar
        case .cgroupSockAddr:
            switch attach {
            case .bind4, .bind6: .range(0...3)
            case .receive4, .receive6, .receiveUnix: .range(1...1)
            default: .range(0...1)
            }
        default: .scalar
        }
    }

    /// What may be done with the bytes of packets. Kernel counterpart: `may_access_direct_pkt_data`.
    fileprivate var packetRules: ProgramContext.PacketRules {
        switch self {
        case .schedCLS, .schedACT, .xdp, .lwtXmit, .skSKB, .skMsg, .cgroupSockopt:
            [.readable, .writable, .passable]
        case .lwtIn, .lwtOut, .lwtSeg6local, .skReuseport, .flowDissector, .cgroupSKB: [.readable, .passable]
        case .sockOps: .readable
        default: .none
        }
    }
}

extension AttachType {
    fileprivate var addressView: StructView {
        switch self {
        case .sendmsg4: .socketAddress(.ipv4, hasSource: true)
        case .sendmsg6: .socketAddress(.ipv6, hasSource: true)
        case .bind6, .connect6, .receive6: .socketAddress(.ipv6, hasSource: false)
        case .connectUnix, .sendmsgUnix, .receiveUnix: .socketAddress(.unix, hasSource: false)
        default: .socketAddress(.ipv4, hasSource: false)
        }
    }
}
