internal import CShim
internal import KernelABI
internal import OpsCore

// Programs that take more than their budget: their connections go on with reno.

extension Flow {
    /// An op call has taken fuel.
    @inline(never)
    func chargeFuel(_ block: UnsafeMutablePointer<ops_block>, _ side: Side) {
        let left = block.pointee.fuel
        let fuel = block.pointee.fuel_per_call &- left
        // Only entries of programs that need it set it; the next one's call is not this one's.
        block.pointee.fuel = block.pointee.fuel_per_call
        let attachment = side == .sender ? pointee.senderOps : pointee.receiverOps
        guard let number = engine.pointee.controls.number(of: block, preferring: attachment),
            engine.pointee.controls.charge(
                number, fuel, ranOut: left == 0, side, at: engine.pointee.now)
        else { return }
        engine.pointee.effects.noteExcess()
    }

    /// Legal, and never a reason to eject, but worth a look.
    @inline(__always) func noteOddValues() {
        if tp.pointee.snd_cwnd == 0 { pointee.statistics.zeroWindows &+= 1 }
        if tp.pointee.inet_conn.icsk_inet.sk.sk_pacing_rate == 0 { pointee.statistics.zeroPacing &+= 1 }
    }

    /// Throws an entry out of this world: every connection that has it goes on with reno, new ones begin with it. Its ops
    /// are not called once more, not even `release`. No op runs.
    func ejectControl(
        _ number: UInt32, _ excess: ProgramAccount.Excess, at side: Side
    ) -> EjectedControl {
        let controls = engine.pointee.controls
        let ejected = EjectedControl(
            name: controls.dropNames(of: number), number: number, excess: excess, time: engine.pointee.now,
            flow: pointee.index, side: side, socket: (side == .sender ? tp : rp).pointee)
        for index in 0..<engine.pointee.flowCount {
            let flow = engine.pointee.flows + index
            guard flow.isOpen || flow.pointee.phase == .synSent else { continue }
            if flow.pointee.senderOps.number == number { flow.fallBack(.sender) }
            if flow.pointee.receiverOps.number == number { flow.fallBack(.receiver) }
        }
        return ejected
    }

    private func fallBack(_ side: Side) {
        let controls = engine.pointee.controls
        let fallback = controls.fallback
        controls.put(side == .sender ? pointee.senderOps : pointee.receiverOps)
        controls.get(fallback)
        if side == .sender { pointee.senderOps = fallback } else { pointee.receiverOps = fallback }
        let socket = side == .sender ? tp : rp
        socket.pointee.inet_conn.icsk_ca_ops = fallback.ops
        socket.pointee.inet_conn.icsk_ca_priv = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        // Whatever it was told to do last, reno grows from where a connection may stand.
        if side == .sender { socket.cwnd = max(socket.cwnd, 2) }
    }
}
