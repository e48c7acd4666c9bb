import KernelABI
import OpsCore

@testable import Netsim

/// Runs scenarios with the built-ins alone, on the test's own thread.
enum Run {
    static func world(_ text: String, file: String = "test.yaml") throws -> World {
        let scenario = try Scenario.parse(text, file: file)
        return try world(scenario, controls: ControlTable())
    }

    static func world(_ scenario: Scenario, controls: ControlTable) throws -> World {
        let memory = try SocketMemory(flowCount: scenario.flowCount)
        return try World(scenario, controls: controls, memory: memory)
    }

    static func toEnd(_ world: World) {
        while world.step(budget: 100_000) {}
    }

    /// The result's bytes as text.
    static func json(_ text: String) throws -> String {
        let world = try world(text)
        toEnd(world)
        return String(decoding: world.result(), as: UTF8.self)
    }
}

/// The reference's scenarios in this project's words.
enum Reference {
    static func scenario(
        rate: String, rtt: String, delay: String, buffer: String, cc: String, duration: String,
        extra: String = "",
        flow: String = ""
    ) -> String {
        """
        name: reference
        duration: \(duration)
        links:
          bottleneck: {rate: \(rate), delay: \(delay), buffer: \(buffer)\(extra)}
        flows:
          - {name: a, cc: \(cc), path: [bottleneck], rtt: \(rtt)\(flow)}
        record: off
        """
    }

    static func p2(_ cc: String, duration: String = "30s") -> String {
        scenario(rate: "50Mbit", rtt: "40ms", delay: "20ms", buffer: "250kB", cc: cc, duration: duration)
    }
}
