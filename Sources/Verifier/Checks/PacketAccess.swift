import BPF

extension Register {
    /// Points to bytes of a packet, or before it.
    var isPacket: Bool { kind == .packet || kind == .packetMeta }
    var isPartOfPacket: Bool { isPacket || kind == .packetEnd }
}

/// Packets: how long one is shows only at run time, so a program compares its pointers with the end, and each way of
/// such a branch knows how many bytes are there.
///
/// Kernel counterpart: `try_match_pkt_pointers`, `find_good_pkt_pointers`, `check_packet_access`.
extension Explorer {
    mutating func packetBranch(
        _ insn: Instruction, _ comparison: Comparison, _ a: Register, _ b: Register, _ target: Int
    ) -> Flow {
        var taken = forked()
        // As `pointer ? limit`, whichever way round it is written.
        let isLimit = b.limits(a)
        if isLimit || a.limits(b) {
            let pointer = isLimit ? a : b
            switch isLimit ? comparison : comparison.mirrored {
            case .above: state.extend(pointer, isBelow: false)
            case .aboveOrEqual: state.extend(pointer, isBelow: true)
            case .below: taken.extend(pointer, isBelow: true)
            case .belowOrEqual: taken.extend(pointer, isBelow: false)
            default: break
            }
        }
        putAside(taken, at: target)
        return .next
    }

    func checkPacket(_ access: Access, _ needed: ProgramContext.PacketRules) throws(Rejection) {
        guard context.packets.isSuperset(of: needed) else {
            let use = needed.contains(.writable) ? "write" : needed.contains(.passable) ? "pass" : "read"
            throw Rejection(
                .memory, "cannot \(use) packet",
                reason: "\(context.name) programs may not do this with the bytes of a packet.",
                suggestion: needed.contains(.writable)
                    ? "Copy the bytes to the stack and change the copy." : "Copy them to the stack first.")
        }
        let fixed = Int(access.pointer.offset) + access.offset
        let what = access.pointer.kind == .packet ? "packet" : "metadata"
        guard access.pointer.scalar.smin >= 0 else {
            throw Rejection(
                .memory,
                "R\(access.register) min value is negative, either use unsigned index or do a if (index >=0) check.",
                reason: "The access may start before the \(what).",
                suggestion: "Make the offset unsigned.")
        }
        guard fixed >= 0, fixed + access.byteCount <= Int(access.pointer.payload) else {
            throw Rejection(
                .memory,
                "invalid access to packet, off=\(fixed) size=\(access.byteCount), "
                    + "R\(access.register)(id=\(access.pointer.id),off=\(access.pointer.offset),r=\(access.pointer.payload))",
                reason: access.pointer.payload == 0
                    ? "Nothing on this path has compared the pointer with the end of the \(what)."
                    : "On this path \(access.pointer.payload) bytes are known to be there, and this needs \(fixed + access.byteCount).",
                suggestion:
                    "Compare before the access: if (p + \(fixed + access.byteCount) > data_end) return …; with p the pointer the access goes through."
            )
        }
    }
}

extension Register {
    /// Whether comparing `other` with this says how many bytes `other` may reach: the end for a packet, the packet's
    /// first byte for what precedes it.
    fileprivate func limits(_ other: Register) -> Bool {
        switch (kind, other.kind) {
        case (.packetEnd, .packet): true
        case (.packet, .packetMeta): offset == 0 && scalar.isZero
        default: false
        }
    }
}

extension Comparison {
    /// With the operands exchanged.
    fileprivate var mirrored: Comparison {
        switch self {
        case .above: .below
        case .aboveOrEqual: .belowOrEqual
        case .below: .above
        case .belowOrEqual: .aboveOrEqual
        default: self
        }
    }
}

extension State {
    /// `pointer` is at most the end (`isBelow`: below it): so many bytes are there, for all pointers from the same
    /// place.
    fileprivate mutating func extend(_ pointer: Register, isBelow: Bool) {
        // Pointers further in than this prove nothing. Kernel: `MAX_PACKET_OFF`.
        let limit: UInt64 = 0xffff
        guard pointer.offset > 0 || (pointer.offset == 0 && !isBelow), pointer.scalar.umax <= limit,
            pointer.scalar.umax + UInt64(pointer.offset) <= limit
        else { return }
        let range = pointer.offset + (isBelow ? 1 : 0)
        forEachRegister { register in
            guard register.kind == pointer.kind, register.id == pointer.id else { return }
            register.payload = max(register.payload, range)
        }
    }

    /// A helper may have moved the packet: no pointer into it holds any more.
    mutating func dropPackets() {
        forEachRegister { register in
            if register.isPartOfPacket { register = .unknown }
        }
    }
}
