import ControlAPI

/// A client that is told of every change of state. Confined to the broker's loop.
final class Monitor {
    private let client: ClientConnection
    /// Events that it was too slow for, since the last one it got.
    private var dropped = 0

    init(client: ClientConnection) {
        self.client = client
    }

    func tell(_ event: HostEvent) {
        var parameters: JSONValue = ["event": event.json]
        if dropped > 0 { parameters = parameters.setting("dropped", to: .integer(Int64(dropped))) }
        if client.stream(Reply(parameters, continues: true)) { dropped = 0 } else { dropped += 1 }
    }
}
