internal import CShim
internal import KernelABI
internal import OpsCore

// Programs that take more than their budget: their connections go on with reno.

extension Flow {
    /// An op call has taken fuel.
    @inline(never)
    func chargeFuel(_ program: UnsafeMutablePointer<ProgramAccount>) {
        let block = program.pointee.block
        let left = block.pointee.fuel
        let fuel = block.pointee.fuel_per_call &- left
        // Only entries of programs that need it set it; the next one's call is not this one's.
        block.pointee.fuel = block.pointee.fuel_per_call
        let now = engine.pointee.now
        engine.pointee.controls.note(
            program.pointee.chargeFuel(fuel, faults: left == 0 ? 1 : 0, at: now), of: program)
    }

    /// Op calls have taken as many instructions as one simulated second may have.
    @inline(never)
    func settleInstructions(_ program: UnsafeMutablePointer<ProgramAccount>) {
        engine.pointee.controls.note(
            program.pointee.settleInstructions(at: engine.pointee.now), of: program)
    }

    /// Legal, and never a reason to eject, but worth a look.
    @inline(__always) func noteOddValues() {
        if tp.pointee.snd_cwnd == 0 { pointee.statistics.zeroWindows &+= 1 }
        if tp.pointee.inet_conn.icsk_inet.sk.sk_pacing_rate == 0 { pointee.statistics.zeroPacing &+= 1 }
    }

    fileprivate func fallBack(_ side: Side) {
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

extension Engine {
    /// Throws out what has gone over its budget. No op runs.
    func ejectExcesses() {
        pointee.controls.takeExcesses { ejectControl($0, $1, byTimer: $2) }
    }

    /// Throws an entry out of this world: every connection that has it goes on with reno, new ones begin with it. Its ops
    /// are not called once more, not even `release`, nor are its timers.
    private func ejectControl(
        _ program: UnsafeMutablePointer<ProgramAccount>, _ excess: ProgramExcess, byTimer: Bool
    ) -> EjectedControl {
        let controls = pointee.controls
        let number = program.pointee.number
        program.pointee.isEjected = true
        var ejected = EjectedControl(
            name: controls.dropNames(of: number), number: number, excess: excess, time: pointee.now,
            calls: program.pointee.lastCalls)
        if !byTimer, let last = ejected.calls.last {
            let flow = pointee.flows + Int(last.flow)
            let socket = last.side == .sender ? flow.tp : flow.rp
            ejected.socket = (last.flow, last.side, socket.pointee)
        }
        for index in 0..<pointee.flowCount {
            let flow = pointee.flows + index
            guard flow.isOpen || flow.pointee.phase == .synSent else { continue }
            if flow.pointee.senderOps.number == number { flow.fallBack(.sender) }
            if flow.pointee.receiverOps.number == number { flow.fallBack(.receiver) }
        }
        return ejected
    }
}
