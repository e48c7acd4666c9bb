import ControlAPI
import Foundation
import Testing

/// Bytes from a client that means no good, or cannot count.
@Suite("Hostile clients", .timeLimit(.minutes(30))) struct HostileClientTests {
    @Test func closesOnWhatIsNoCallAndServesTheNext() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        for bytes in [
            "\0", "{}\0", "[[[\0", "{\"method\":1}\0", String(repeating: "[", count: 100_000) + "\0",
        ] {
            let socket = try UnixSocket.connect(to: sandbox.socket)
            try socket.send(Array(bytes.utf8))
            #expect(try readAll(socket).contains("io.opsd.Refused"))
        }
        // Half a request, and nothing more.
        let silent = try UnixSocket.connect(to: sandbox.socket)
        try silent.send(Array("{\"method\":".utf8))
        #expect(try sandbox.opsctl("show").status == 0)
        withExtendedLifetime(silent) {}
    }

    @Test func answersPipelinedCallsInOrder() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let socket = try UnixSocket.connect(to: sandbox.socket)
        let unknown = Call("io.opsd.Registry.Nonsense").json.frame
        let listing = Call(Method.registryList.rawValue).json.frame
        let silent = Call(Method.registryList.rawValue, oneway: true).json.frame
        try socket.send(listing + silent + unknown + Call("no.such.Thing").json.frame + listing)
        var frames = FrameSplitter()
        var errors: [String?] = []
        while errors.count < 4 {
            frames.append(try socket.receive())
            while let frame = try frames.next() { errors.append(try Reply(frame: frame).error) }
        }
        #expect(
            errors == [
                nil, "org.varlink.service.MethodNotFound", "org.varlink.service.InterfaceNotFound", nil,
            ])
    }

    @Test func refusesParametersOfTheWrongKind() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let cases: [(Method, JSONValue)] = [
            (Method.registryRegister, ["object": 5]), (.registryRegister, [:]),
            (.registryRegister, ["object": "!"]),
            (.registryUnregister, [:]), (.registryList, ["id": -1]), (.mapUpdate, ["id": 1, "key": [1]]),
            (.simulationRun, ["scenario": []]), (.simulationCancel, [:]),
            (.linkDetach, ["id": 4_294_967_296]),
        ]
        for (method, parameters) in cases {
            let client = try Client(path: sandbox.socket)
            #expect(throws: ClientError.self) { try client.call(Call(method.rawValue, parameters)) }
        }
        #expect(try sandbox.opsctl("-j", "daemon", "status").stdout.contains("\"restarts\":0"))
    }

    @Test func twoDaemonsDoNotShareASocket() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let second = try Sandbox.run(
            Sandbox.binaries.appending(path: "opsd").path, ["--socket", sandbox.socket])
        #expect(second.status == 1)
        #expect(second.stderr.contains("already answers"))
        // A daemon that was killed leaves its socket file; the next one replaces it.
        let daemon = try #require(sandbox.daemon)
        kill(daemon.processIdentifier, SIGKILL)
        daemon.waitUntilExit()
        #expect(FileManager.default.fileExists(atPath: sandbox.socket))
        try sandbox.start()
    }

    private func readAll(_ socket: UnixSocket) throws -> String {
        var bytes: [UInt8] = []
        while case let piece = try socket.receive(), !piece.isEmpty { bytes += piece }
        return String(decoding: bytes, as: UTF8.self)
    }
}
