import BPF

/// What calls a function of the program back. Tells what the function must return, and what it may do.
enum Callback: UInt8 {
    /// Turned by a helper: bpf_loop, bpf_for_each_map_elem, bpf_find_vma, bpf_user_ringbuf_drain.
    case turn
    /// The comparison of bpf_rbtree_add.
    case treeOrder
    /// Runs later, on its own: timers and work queues.
    case asynchronous

    var results: ClosedRange<UInt64> { self == .asynchronous ? 0...0 : 0...1 }
}

extension Explorer {
    /// A helper that calls a function of the program any number of times, each time drawing on fuel.
    mutating func turn(_ prototype: HelperPrototype, _ facts: CallFacts) throws(Rejection) -> Flow {
        guard let callback = facts.callback else { return .next }
        let arguments: [Register]
        switch prototype.name {
        case "bpf_for_each_map_elem":
            let map = facts.map ?? 0
            arguments = [
                state[1], Register(kind: .mapKey, payload: map),
                Register(kind: .mapValue, payload: map, id: newID()), state[3],
            ]
        case "bpf_find_vma":
            arguments = [state[1], try trusted("vm_area_struct"), state[4]]
        case "bpf_user_ringbuf_drain":
            arguments = [
                Register(kind: .dynptrHandle, payload: DynptrKind.local.rawValue, id: newID()), state[3],
            ]
        default:
            var index = Register.unknown
            let most = state[1].scalar.truncated(toBytes: 4).umax
            index.scalar = Scalar(unsigned: 0...(most == 0 ? 0 : most - 1))
            index.dependencies = state[1].dependencies
            arguments = [index, state[3]]
        }
        return try turn(callback, .turn, arguments, result: .unknown)
    }

    /// Verified like a loop whose head is the call: either it is over, or the callback runs once and the call is
    /// looked at again. Turns end when a state comes back that is covered.
    ///
    /// - Parameter end: what the call does once it is over.
    mutating func turn(
        _ subprog: Int, _ callback: Callback, _ arguments: [Register], result: Register,
        whenOver end: (inout Explorer) -> Void = { _ in }
    ) throws(Rejection) -> Flow {
        let after = state
        try enter(subprog: subprog, callback: callback, arguments: arguments)
        state.draws = state.draws == .max ? .max : state.draws + 1
        putAside(state, at: flow.ranges[subprog].lowerBound)
        state = after
        end(&self)
        clobberArguments()
        state[0] = result
        return .next
    }

    private func trusted(_ name: String) throws(Rejection) -> Register {
        guard let type = context.target?.composite(named: name)?.id else {
            throw Rejection.unsupported(
                "a callback that takes a struct \(name), which this BTF does not have,")
        }
        return Register(kind: .object, payload: type.index, flags: .trusted)
    }

    /// The function runs on its own later: it is verified as a program of its own, once for each map.
    mutating func startAsynchronous(
        _ subprog: Int, map: Int, isSleepable: Bool, _ arguments: [Register]
    ) throws(Rejection) {
        isCallback[subprog] = true
        let entry = Entry(kind: .asynchronous, subprog: subprog, map: map, isSleepable: isSleepable)
        guard !entries.contains(entry) else { return }
        var frame = Frame(subprog: subprog, callSite: -1, index: 0)
        frame.callback = .asynchronous
        for (index, argument) in arguments.enumerated() { frame.registers[index + 1] = argument }
        longestCallback = max(longestCallback, try explore(entry, from: frame))
    }
}
