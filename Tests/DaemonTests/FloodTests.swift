import ControlAPI
import Foundation
import Testing

/// Clients that send too much, too little, or never read: what they cost the others. Modest numbers; the full ones are
/// those of Benchmarks/hostile-clients.
@Suite("Floods", .timeLimit(.minutes(30))) struct FloodTests {
    /// Answered at once, without the runtime.
    private static let cheapCall = Call("org.varlink.service.GetInfo").json.frame

    @Test func thousandsOfCallsInOnePieceAreAnsweredOneAfterTheOther() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let socket = try UnixSocket.connect(to: sandbox.socket)
        let count = 20_000
        let calls = [UInt8](repeatElement(Self.cheapCall, count: count).joined())
        let descriptor = socket.descriptor
        let sender = Thread { try? UnixSocket.send(calls, to: descriptor) }
        sender.start()
        var frames = FrameSplitter()
        var answers = 0
        while answers < count {
            let bytes = try socket.receive()
            try #require(!bytes.isEmpty, "the connection ended after \(answers) answers")
            frames.append(bytes)
            while let frame = try frames.next() {
                #expect(try Reply(frame: frame).error == nil)
                answers += 1
            }
        }
        #expect(try sandbox.opsctl("daemon", "status").status == 0)
    }

    @Test func whoDoesNotReadGetsNoMoreAnswersThanFit() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let before = try brokerMemory(sandbox)
        let calls = [UInt8](repeatElement(Self.cheapCall, count: 2_000).joined())
        let sockets = try (0..<20).map { _ in try UnixSocket.connect(to: sandbox.socket) }
        for socket in sockets {
            // Until the daemon takes no more.
            _ = fcntl(socket.descriptor, F_SETFL, O_NONBLOCK)
            for _ in 0..<200 { if (try? socket.send(calls)) == nil { break } }
        }
        #expect(try sandbox.opsctl("show").status == 0)
        // Each may have a megabyte of answers waiting, and one more; unbounded, it would be about 20 MB each.
        #expect(try Self.isSanitized || brokerMemory(sandbox) - before < 100 << 20)
        withExtendedLifetime(sockets) {}
    }

    @Test func hundredsOfHalfRequestsLeaveTheDaemonAnswering() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let half = Array("{\"method\":\"io.opsd.Registry.Register\",\"parameters\":{\"object\":\"".utf8)
        let sockets = try (0..<300).map { _ in try UnixSocket.connect(to: sandbox.socket) }
        for socket in sockets { try socket.send(half) }
        let status = try sandbox.opsctl("-j", "daemon", "status").json()["result"] as? [String: Any]
        #expect((status?["connections"] as? Int ?? 0) > 300)
        withExtendedLifetime(sockets) {}
    }

    @Test func largeRequestsTogetherAreBounded() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let piece = [UInt8](repeating: UInt8(ascii: "A"), count: 8 << 20)
        let head = Array("{\"method\":\"io.opsd.Registry.Register\",\"parameters\":{\"object\":\"".utf8)
        let sockets = try (0..<6).map { _ in try UnixSocket.connect(to: sandbox.socket) }
        // Six times 56 MiB, none of them complete: over 256 MiB some are refused, and all are gone with their clients.
        var refused = 0
        for socket in sockets {
            do {
                try socket.send(head)
                for _ in 0..<7 { try socket.send(piece) }
            } catch {
                refused += 1
            }
        }
        #expect(refused >= 1)
        #expect(try sandbox.opsctl("show").status == 0)
        #expect(try Self.isSanitized || brokerMemory(sandbox) < 768 << 20)
    }

    @Test(.enabled(if: getuid() == 0, "playing another user needs root"))
    func connectionsOfOneUserAreLimited() throws {
        let sandbox = try Sandbox()
        let file = try sandbox.file("opsd.yaml", "limits: {connections: 2}\n")
        try sandbox.start("--config", file)
        chmod(sandbox.folder.path, 0o755)
        chmod(sandbox.socket, 0o666)
        let follower = Process()
        follower.executableURL = URL(filePath: "/usr/bin/setpriv")
        // Holds two connections until its input ends, and tells when a third is refused.
        follower.arguments = [
            "--reuid", "61001", "--regid", "61001", "--clear-groups", "/usr/bin/python3", "-c",
            """
            import socket
            held = [socket.socket(socket.AF_UNIX) for _ in range(3)]
            for s in held: s.connect('\(sandbox.socket)')
            print(held[2].recv(65536).decode())
            """,
        ]
        let output = Pipe()
        follower.standardOutput = output
        try follower.runWithOpenSignals()
        follower.waitUntilExit()
        let text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        #expect(text.contains("'limits.connections' of the configuration is 2"), "\(text)")
        // They are given back.
        try sandbox.eventually("another connection is taken") {
            try sandbox.opsctl(as: 61001, "show").status == 0
        }
    }

    /// Most of a process's memory is the sanitizer's then: `make sanitize`.
    static let isSanitized = ProcessInfo.processInfo.environment["OPSD_SANITIZER_REPORTS"] != nil

    /// Bytes of memory that the broker has.
    private func brokerMemory(_ sandbox: Sandbox) throws -> Int {
        let pid = try #require(sandbox.daemon).processIdentifier
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        let kilobytes = line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return try #require(kilobytes) << 10
    }
}
