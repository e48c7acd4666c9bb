import Crypto
import Foundation
import Testing

/// Who may do what. Other users are played by setpriv, so these need root.
@Suite("Access", .timeLimit(.minutes(30)), .enabled(if: getuid() == 0, "playing other users needs root"))
struct AccessTests {
    /// Somebody without any rights, and somebody in the group that may change things.
    static let stranger: UInt32 = 61001
    static let member: UInt32 = 61002
    static let group: UInt32 = 61003
    private static let scenario =
        "{duration: 1s, links: {l: {rate: 1Mbit, delay: 1ms, buffer: 10p}},"
        + " flows: [{name: a, cc: reno, path: [l], rtt: 10ms}]}"

    private func sandbox(_ configuration: String = "") throws -> Sandbox {
        let sandbox = try Sandbox()
        let file = try sandbox.file("opsd.yaml", "group: '\(Self.group)'\n" + configuration)
        try sandbox.start("--config", file)
        chmod(sandbox.folder.path, 0o755)
        chmod(sandbox.socket, 0o666)
        return sandbox
    }

    @Test func aStrangerLooksAndAMemberChanges() throws {
        let object = try Example.cubic.get()
        let sandbox = try sandbox()
        #expect(try sandbox.opsctl(as: Self.stranger, "show").status == 0)
        let refused = try sandbox.opsctl(as: Self.stranger, "-j", "register", object)
        #expect(refused.status == 1)
        #expect(refused.stdout.contains("\"errno\":1,"))
        #expect(sandbox.log.contains("OPS_EVENT=refuse"))
        #expect(sandbox.log.contains("OPS_PEER_UID=\(Self.stranger)"))
        #expect(try sandbox.opsctl(as: Self.member, group: Self.group, "register", object).status == 0)
    }

    @Test func prioritiesAreForThoseWhoMayHaveThem() throws {
        let sandbox = try sandbox("limits: {priority: 5}\n")
        let scenario = try sandbox.file("s.yaml", Self.scenario)
        chmod(scenario, 0o644)
        for (priority, status) in [("5", Int32(0)), ("6", 1)] {
            let run = try sandbox.opsctl(
                as: Self.member, group: Self.group, "sim", "run", scenario, "--priority", priority)
            #expect(run.status == status && (status == 0 || run.stderr.contains("'limits.priority'")))
        }
        #expect(try sandbox.opsctl("sim", "run", scenario, "--priority", "6").status == 0)
    }

    @Test func manyResultsOfOneUserPushOutNoneOfAnothers() throws {
        let sandbox = try sandbox("jobs: {keep: 3}\n")
        let scenario = try sandbox.file("s.yaml", Self.scenario)
        chmod(scenario, 0o644)
        for uid in [Self.member] + [UInt32](repeating: Self.stranger, count: 5) {
            #expect(try sandbox.opsctl(as: uid, group: Self.group, "sim", "run", scenario).status == 0)
        }
        let runs = try sandbox.opsctl("-j", "sim", "list").json()["result"] as? [[String: Any]]
        #expect(runs?.compactMap { $0["id"] as? Int }.sorted() == [1, 5, 6])
        #expect(try sandbox.opsctl("sim", "result", "id", "1").status == 0)
    }

    @Test func contentsAreTheOwnersAndTheAdministrators() throws {
        let object = try Example.cubic.get()
        let sandbox = try sandbox()
        #expect(try sandbox.opsctl(as: Self.member, group: Self.group, "register", object).status == 0)
        // The same user outside the group is no administrator, but still the owner.
        for (uid, status) in [(Self.member, Int32(0)), (Self.stranger, 1)] {
            #expect(try sandbox.opsctl(as: uid, "dump", "name", "cubic").status == status)
            #expect(
                try sandbox.opsctl(as: uid, "prog", "dump", "xlated", "name", "cubic_init").status
                    == status)
        }
        #expect(sandbox.log.contains("it belongs to uid \(Self.member)"))
        #expect(try sandbox.opsctl("dump").status == 0)
    }

    @Test(arguments: [
        ("limits: {objects: 1}", "limit", "would hold 2 objects"),
        ("limits: {maps: 0}", "limit", "maps"), ("limits: {programs: 2}", "limit", "programs"),
        ("limits: {memory: 8KiB}", "memory", "of at most 8192"),
        ("policy: [{user: 61002, helpers: []}]", "permission", "helper bpf_"),
        ("policy: [{user: 61002, subsystems: [Qdisc_ops]}]", "permission", "subsystem tcp_congestion_ops"),
        ("policy: [{user: 61002, kfuncs: []}]", "permission", "kfunc tcp_"),
    ])
    func limitsAndPolicyBindUsersAndNotRoot(_ rule: String, _ code: String, _ text: String) throws {
        let objects = [try Example.cubic.get(), try Example.reno.get()]
        let sandbox = try sandbox(rule + "\n")
        let results = try objects.map {
            try sandbox.opsctl(as: Self.member, group: Self.group, "-j", "register", $0)
        }
        let refused = try #require(results.first { $0.status == 1 }, "\(rule) refuses nothing")
        #expect(refused.stdout.contains("\"code\":\"\(code)\""), "\(refused.stdout)")
        #expect(refused.stdout.contains(text), "\(refused.stdout)")
        // Objects that were refused are not held: root finds their names free.
        for (object, result) in zip(objects, results) where result.status == 1 {
            #expect(try sandbox.opsctl("register", object).status == 0)
        }
    }

    @Test func tooManyRequestsAreRefusedUntilTimeHasPassed() throws {
        let sandbox = try sandbox("limits: {requests-per-second: 1}\n")
        // In one process: starting four may take longer than the allowance needs to come back.
        let asker = """
            import socket
            s = socket.socket(socket.AF_UNIX)
            s.connect('\(sandbox.socket)')
            s.sendall(b'{"method":"org.varlink.service.GetInfo"}\\0' * 4)
            answers = s.makefile('rb').read1
            text = b''
            while text.count(b'\\0') < 4: text += answers(65536) or b'ended\\0'
            print(*['error' if b'"error"' in a else 'answer' for a in text.split(b'\\0')[:4]])
            """
        let who = ["--reuid", "\(Self.stranger)", "--regid", "\(Self.stranger)", "--clear-groups"]
        let asked = try Sandbox.run("/usr/bin/setpriv", who + ["/usr/bin/python3", "-c", asker])
        #expect(
            asked.stdout.hasPrefix("answer answer") && asked.stdout.contains("error"),
            "\(asked.stdout)\(asked.stderr)")
        #expect(try sandbox.opsctl("show").status == 0)
        try sandbox.eventually("the allowance is back") {
            try sandbox.opsctl(as: Self.stranger, "show").status == 0
        }
    }

    @Test func refusalsAreRecordedWithinBounds() throws {
        let sandbox = try sandbox()
        let start = ContinuousClock.now
        for _ in 0..<30 { _ = try sandbox.opsctl(as: Self.stranger, "unregister", "id", "1") }
        // Every ten seconds, which so many programs may well take, there is room for more.
        let windows = 1 + Int((ContinuousClock.now - start) / .seconds(10))
        let records = sandbox.log.split(separator: "\n").count { $0.contains("OPS_EVENT=refuse") }
        #expect((20...25 * windows).contains(records))
    }
}

/// Detached signatures: whose count, and when they must be there.
@Suite("Signatures", .timeLimit(.minutes(30))) struct SignatureTests {
    private let key = Curve25519.Signing.PrivateKey()

    private func pem(_ key: Curve25519.Signing.PublicKey) -> String {
        let head: [UInt8] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]
        let text = (Data(head) + key.rawRepresentation).base64EncodedString()
        return "-----BEGIN PUBLIC KEY-----\n\(text)\n-----END PUBLIC KEY-----\n"
    }

    private func sandbox(required: Bool) throws -> Sandbox {
        let sandbox = try Sandbox()
        _ = try sandbox.file("alice.pem", pem(key.publicKey))
        let file = try sandbox.file(
            "opsd.yaml", "require-signature: \(required)\ntrust-store: \(sandbox.folder.path)\n")
        try sandbox.start("--config", file)
        return sandbox
    }

    private func signature(_ sandbox: Sandbox, of object: Data, by key: Curve25519.Signing.PrivateKey) throws
        -> String
    {
        let url = sandbox.folder.appending(path: "sig")
        try Data(key.signature(for: object)).write(to: url)
        return url.path
    }

    @Test func theRightSignatureIsTakenAndItsSignerRecorded() throws {
        let object = try Example.cubic.get()
        let sandbox = try sandbox(required: true)
        let file = try signature(sandbox, of: Data(contentsOf: URL(filePath: object)), by: key)
        #expect(try sandbox.opsctl("register", object, "--signature", file).status == 0)
        #expect(sandbox.log.contains("OPS_SIGNER=alice"))
    }

    @Test(arguments: [true, false]) func aWrongSignatureIsRefusedWhetherRequiredOrNot(required: Bool) throws {
        let object = try Example.cubic.get()
        let sandbox = try sandbox(required: required)
        let bytes = try Data(contentsOf: URL(filePath: object))
        let wrongKey = try signature(sandbox, of: bytes, by: Curve25519.Signing.PrivateKey())
        let refused = try sandbox.opsctl("-j", "register", object, "--signature", wrongKey)
        #expect(refused.status == 1 && refused.stdout.contains("\"code\":\"signature\""))
        let wrongBytes = try signature(sandbox, of: bytes + Data([0]), by: key)
        #expect(try sandbox.opsctl("register", object, "--signature", wrongBytes).status == 1)
        let short = try sandbox.file("short", "x")
        #expect(try sandbox.opsctl("register", object, "--signature", short).status == 1)
        #expect(try sandbox.opsctl("-j", "show").stdout.contains("\"result\":[]"))
    }

    @Test func aMissingSignatureIsRefusedOnlyWhereItIsRequired() throws {
        let object = try Example.cubic.get()
        let refused = try sandbox(required: true).opsctl("register", object)
        #expect(refused.status == 1 && refused.stderr.contains("the object is not signed"))
        #expect(try sandbox(required: false).opsctl("register", object).status == 0)
    }

    @Test func aFileThatIsNoKeyIsNotPassedOver() throws {
        let sandbox = try Sandbox()
        let key = try sandbox.file(
            "broken.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
        let file = try sandbox.file("opsd.yaml", "trust-store: \(sandbox.folder.path)\n")
        let result = try Sandbox.run(Sandbox.opsd, ["--check-config", "--config", file])
        #expect(result.status == 1 && result.stderr.contains("\(key): not an Ed25519 public key"))
    }
}
