import Foundation
import Testing

/// What scripts rely on: exit codes, one JSON document, messages on stderr (INTERFACES).
@Suite("Command line", .timeLimit(.minutes(30))) struct CommandLineTests {
    @Test(
        "wrong usage ends with 2",
        arguments: [
            [], ["nonsense"], ["s"], ["show", "id"], ["show", "id", "x"], ["unregister"], ["register"],
            ["prog", "dump", "xlated"], ["btf", "dump", "format", "xml"], ["check"],
            ["map", "lookup"],
            ["sim", "run", "x.yaml", "--object", "y.o"], ["prog", "run"],
            ["prog", "run", "--hex", "f", "--repeat", "0"],
        ])
    func usage(arguments: [String]) throws {
        let opsctl = Sandbox.binaries.appending(path: "opsctl").path
        let plain = try Sandbox.run(opsctl, arguments)
        #expect(plain.status == 2)
        #expect(plain.stdout.isEmpty)
        #expect(plain.stderr.hasPrefix("opsctl: "))
        let json = try Sandbox.run(opsctl, arguments + ["-j"])
        #expect(json.status == 2)
        #expect(json.stderr.isEmpty)
        #expect(try json.json()["ok"] as? Bool == false)
        #expect((try json.json()["error"] as? [String: Any])?["code"] as? String == "usage")
    }

    @Test func noDaemonEndsWith3() throws {
        let sandbox = try Sandbox()
        let plain = try sandbox.opsctl("show")
        #expect(plain.status == 3)
        #expect(plain.stderr.contains(sandbox.socket))
        let json = try sandbox.opsctl("--pretty", "list")
        #expect(json.status == 3)
        let error = try #require(try json.json()["error"] as? [String: Any])
        #expect(Set(error.keys) == ["code", "errno", "where", "text", "reason", "suggestion"])
    }

    @Test(
        "every verb that asks the daemon is found, shortened too",
        arguments: [
            ["show"], ["reg", #filePath], ["registry", "verify"], ["unreg", "id", "1"], ["prog", "list"],
            ["prog", "d", "x", "id", "1"], ["map", "list"],
            ["map", "dump", "id", "1"], ["map", "follow", "id", "1"], ["map", "f", "id", "1"],
            ["link", "show"],
            ["link", "det", "id", "1"], ["sim", "list"], ["sim", "cancel", "id", "1"],
            ["sim", "res", "id", "1"],
            ["daemon", "status"],
        ])
    func findsVerbs(arguments: [String]) throws {
        let sandbox = try Sandbox()
        let opsctl = Sandbox.binaries.appending(path: "opsctl").path
        let output = try Sandbox.run(opsctl, ["--socket", sandbox.socket] + arguments)
        #expect(output.status == 3, "\(output.stderr)")
    }

    @Test func helpAndVersionAreAnswers() throws {
        let opsctl = Sandbox.binaries.appending(path: "opsctl").path
        for arguments in [["--help"], ["--version"], ["prog", "dump", "--help"], ["help", "sim", "run"]] {
            let output = try Sandbox.run(opsctl, arguments)
            #expect(output.status == 0, "\(arguments)")
            #expect(!output.stdout.isEmpty)
        }
    }

    @Test func runsAProgramOnItsOwn() throws {
        let sandbox = try Sandbox()
        // r0 = *(u8 *)(r1 + 1); r0 += r2; exit
        let program = try sandbox.file("p.hex", "71 10 01 00 00 00 00 00\n0f20000000000000\n9500000000000000")
        let data = try sandbox.file("data", "AB")
        for extra in [[], ["--interpret"]] {
            let output = try Sandbox.run(
                Sandbox.binaries.appending(path: "opsctl").path,
                ["-j", "prog", "run", "--hex", program, "--data-in", data, "--repeat", "10"] + extra)
            #expect(output.status == 0)
            let result = try #require(try output.json()["result"] as? [String: Any])
            #expect(result["r0"] as? String == "0x44")
            #expect(result["insns"] as? Int == 3)
            #expect(Set(result.keys) == ["r0", "ns_per_run", "jit_us", "verify_us", "code_bytes", "insns"])
        }
        // The same without data: R1 is 0, and reading from it is refused.
        let refused = try sandbox.opsctl("prog", "run", "--hex", program)
        #expect(refused.status == 1)
        #expect(refused.stderr.contains("  why: "))
    }

    @Test func refusesWhatIsNoObject() throws {
        let sandbox = try Sandbox()
        let text = try sandbox.file("x.bpf.o", "no object")
        let output = try sandbox.opsctl("-j", "check", text)
        #expect(output.status == 1)
        let document = try output.json()
        #expect((document["result"] as? [String: Any])?["programs"] as? [Any] != nil)
        #expect((document["error"] as? [String: Any])?["errno"] as? Int == 22)
        #expect(try sandbox.opsctl("check", sandbox.folder.path + "/absent.o").status == 1)
    }

    @Test func namesTheLineOfABadScenario() throws {
        let sandbox = try Sandbox()
        let scenario = try sandbox.file("bad.yaml", "name: x\nduration: 1 parsec\n")
        let output = try sandbox.opsctl("sim", "run", scenario, "--local")
        #expect(output.status == 1)
        #expect(output.stderr.contains("bad.yaml"))
        #expect(output.stderr.contains("parsec"))
    }
}
