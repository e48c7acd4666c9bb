/// bpf_timer and bpf_wq in map values.
extension Explorer {
    /// A pointer to a field of a kind that only its own functions touch.
    ///
    /// - Parameter name: of its struct, for messages.
    mutating func fieldArgument(
        _ value: Register, _ register: UInt8, _ name: String, _ isWanted: (SpecialField.Kind) -> Bool
    ) throws(Rejection) -> SpecialField {
        func refusal(_ problem: String) -> Rejection {
            Rejection(
                .callType, problem,
                reason: "R\(register) must point to the struct \(name) of a map value or allocated object.")
        }
        guard value.kind == .mapValue || value.kind == .allocated, !value.maybeNull else {
            throw refusal("R\(register) type=\(typeName(of: value)) expected=map_value")
        }
        guard let offset = value.constantOffset else {
            throw refusal(
                "R\(register) doesn't have constant offset. \(name) has to be at the constant offset")
        }
        let fields = specialFields(of: value).fields.filter { isWanted($0.kind) }
        guard let first = fields.first else {
            let map = value.kind == .mapValue ? "map '\(maps[Int(value.payload)].name)'" : "the object"
            throw refusal("\(map) has no valid \(name)")
        }
        guard let field = fields.first(where: { $0.offset == offset }) else {
            throw refusal("off \(offset) doesn't point to 'struct \(name)' that is at \(first.offset)")
        }
        return field
    }

    mutating func timer(_ value: Register, _ register: UInt8) throws(Rejection) -> Register {
        guard value.kind == .mapValue else {
            throw Rejection(
                .callType, "R\(register) type=\(typeName(of: value)) expected=map_value",
                reason: "A timer lies in the value of a map.")
        }
        _ = try fieldArgument(value, register, "bpf_timer") { $0 == .timer }
        return value
    }

    /// bpf_timer_init and bpf_wq_init are told the map that the field lies in.
    func checkTimerMap(_ timer: Register, _ map: Register) throws(Rejection) {
        guard image.maps.indices.contains(Int(timer.payload)) else {
            throw Rejection.unsupported("a timer in a map of maps")
        }
        guard timer.payload == map.payload else {
            throw Rejection(
                .callType,
                "timer pointer in R1 map_uid=\(timer.payload) doesn't match map pointer in R2 map_uid=\(map.payload)",
                reason: "The second argument must be the map whose value holds the timer.")
        }
    }

    mutating func startTimerCallback(_ facts: CallFacts) throws(Rejection) {
        guard let timer = facts.timer, let callback = facts.callback else { return }
        try startCallback(callback, ofFieldIn: timer, isSleepable: false)
    }

    /// The callback gets the map, and the key and value of the element.
    mutating func startCallback(
        _ callback: Int, ofFieldIn value: Register, isSleepable: Bool
    ) throws(Rejection) {
        let map = Int(value.payload)
        let arguments = [
            Register(kind: .mapHandle, payload: map), Register(kind: .mapKey, payload: map),
            Register(kind: .mapValue, payload: map, id: newID()),
        ]
        try startAsynchronous(callback, map: map, isSleepable: isSleepable, arguments)
    }
}
