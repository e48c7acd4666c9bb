import Foundation
import Glibc
import Testing

/// The service as others meet it: a varlink client that we did not write, and a booted systemd.
@Suite("Outside", .enabled(if: Example.clang != nil, "no clang with a bpf target"), .timeLimit(.minutes(30)))
struct OutsideTests {
    static let python = Sandbox.root.appending(path: ".build/venv/bin/python").path
    static let hasVarlink = (try? Sandbox.run(python, ["-c", "import varlink"]))?.status == 0

    @Test(.enabled(if: hasVarlink, "no 'varlink' of PyPI in .build/venv: run 'make test-deps'"))
    func servesTheVarlinkClientOfPyPI() throws {
        let sandbox = try Sandbox()
        try sandbox.start()
        let output = try Sandbox.run(
            Self.python, ["Tests/varlink/list_and_register.py", sandbox.socket, try Example.cubic.get()])
        #expect(output.status == 0, Comment(rawValue: output.stdout + output.stderr))
        #expect(output.stdout.contains("io.opsd.Registry"))
    }

    static let boot = Sandbox.root.appending(path: "Tests/systemd/boot").path
    /// Root, namespaces, cgroups, systemd: asked of the script itself.
    static let canBoot = geteuid() == 0 && (try? Sandbox.run(boot, ["/bin/true"]))?.status == 0

    @Test(
        .enabled(if: canBoot, "no systemd can be booted here: root, namespaces, systemd and dbus are needed"))
    func runsAsAServiceOfABootedSystemd() throws {
        let scenario = Sandbox.root.appending(path: "Examples/scenarios/demo.yaml").path
        let service = Sandbox.root.appending(path: "Tests/systemd/service").path
        let output = try Sandbox.run(
            Self.boot, [service, Sandbox.binaries.path, try Example.cubic.get(), scenario],
            environment: ["BIND": Sandbox.root.path])
        #expect(output.status == 0, Comment(rawValue: output.stdout + output.stderr))
        #expect(output.stdout.contains("ok: one record says why"))
    }

    static let canPack = canBoot && access("/usr/bin/dpkg-shlibdeps", X_OK) == 0

    @Test(.enabled(if: canPack, "no systemd can be booted here, or no dpkg-dev"))
    func installsAndPurgesAsADebianPackage() throws {
        let script = Sandbox.root.appending(path: "Tests/systemd/package").path
        let output = try Sandbox.run(
            Self.boot, [script, Sandbox.binaries.path], environment: ["BIND": Sandbox.root.path])
        #expect(output.status == 0, Comment(rawValue: output.stdout + output.stderr))
        #expect(output.stdout.contains("ok: nothing is left"))
    }

    @Test func theManualNamesEveryVerb() throws {
        let help = try Sandbox.run(Sandbox.binaries.appending(path: "opsctl").path, ["help"]).stdout
        let verbs = try #require(help.components(separatedBy: "SUBCOMMANDS:\n").last).split(separator: "\n")
            .compactMap { line in line.prefixMatch(of: /[ ]{2}([a-z-]+)/)?.1 }
        #expect(verbs.contains("register"))
        let page = try String(contentsOf: Sandbox.root.appending(path: "docs/man/opsctl.1"), encoding: .utf8)
        for verb in verbs where verb != "help" {
            #expect(
                page.contains(".It Ic \(verb)"), "docs/man/opsctl.1 does not explain 'opsctl \(verb)'")
        }
    }
}
