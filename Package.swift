// swift-tools-version: 6.2
import Foundation
import PackageDescription

// Warnings are errors in CI only (`CI=true`), so that they do not get in the way of an edit.
let strictness: [SwiftSetting] =
    ProcessInfo.processInfo.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)]

let common: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + strictness

/// One libFuzzer program, as a static library: see Fuzz/run.
let fuzzers = ["ELF", "BTF", "CORE", "Frames", "Scenario"]

/// Examples/suites: an installed opsctl grades by them too.
let suites = [
    "cellular", "coexistence-bbr", "coexistence-cubic", "deep-buffer", "ecn", "fairness", "loss",
    "rate-steps",
    "rtt-unfairness", "shallow-buffer", "short-flows", "single-flow",
]

/// Targets that hold raw pointers: every unsafe expression must be marked.
let fenced: [SwiftSetting] = common + [.strictMemorySafety()]

/// A varlink interface file, compiled into the target so that the daemon serves the very text that lies in the tree.
func interface(_ name: String) -> Resource { .embedInCode("Interfaces/\(name).varlink") }

let package = Package(
    name: "opsd",
    products: [
        .executable(name: "opsd", targets: ["OpsDaemon"]),
        .executable(name: "opsctl", targets: ["opsctl"]),
        .library(name: "OpsCore", targets: ["OpsCore"]),
        .executable(name: "differential", targets: ["differential-tool"]),
        .executable(name: "verifier-bench", targets: ["verifier-bench"]),
        .executable(name: "bpf-conformance-plugin", targets: ["bpf-conformance-plugin"]),
    ] + fuzzers.map { .library(name: "Fuzz\($0)", type: .static, targets: ["Fuzz\($0)"]) },
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C: what Swift cannot import, the ABI shared with programs, libsystemd.
        .target(name: "CShim"),
        .target(name: "KernelABI", exclude: ["generate.sh", "kernel.btf", "cubic.elf", "members.inc"]),
        .systemLibrary(
            name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),

        // What an object file says; proving it safe; compiling it; running it.
        .target(name: "BPF", swiftSettings: common),
        .target(name: "Verifier", dependencies: ["BPF"], swiftSettings: common),
        .target(name: "JIT", dependencies: ["BPF", "Verifier", "CShim"], swiftSettings: fenced),
        .target(
            name: "OpsCore",
            dependencies: [
                "BPF", "Verifier", "JIT", "CShim", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: fenced),

        // The first subsystem.
        .target(
            name: "Netsim",
            dependencies: ["OpsCore", "BPF", "Verifier", "KernelABI", "CShim", "Yams"],
            swiftSettings: common),

        // The service and its command line.
        .target(
            name: "ControlAPI",
            resources: ["org.varlink.service", "io.opsd"].map(interface)
                + ["Registry", "Program", "Map", "Link", "Simulation", "Daemon"].map {
                    interface("io.opsd.\($0)")
                },
            swiftSettings: common),
        .target(
            name: "OpsHost",
            dependencies: [
                "ControlAPI", "OpsCore", "Netsim", "BPF", "Verifier", "JIT", "CShim",
            ],
            swiftSettings: common),
        // The laboratory: many runs, judged, compared and shown. On top of one runtime; the daemon knows nothing of it.
        .target(
            name: "Lab",
            dependencies: [
                "ControlAPI", "OpsHost", "OpsCore", "Netsim",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            resources: ["report.css", "report.js"].map { .embedInCode("Report/Assets/\($0)") }
                + suites.map { .embedInCode("Grade/Suites/\($0).yaml") }
                + [.embedInCode("Grade/cellular.trace")],
            swiftSettings: common),
        // What was acknowledged, on disk. Knows neither clients nor the runtime.
        .target(
            name: "Registry",
            dependencies: [
                "ControlAPI", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: common),
        .executableTarget(
            name: "OpsDaemon",
            dependencies: [
                "ControlAPI", "OpsHost", "Registry", "JIT", "CSystemd", "CShim",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                "Yams",
            ],
            swiftSettings: common),
        .executableTarget(
            name: "opsctl",
            dependencies: [
                "ControlAPI", "OpsHost", "Lab",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: common),

        // What a registration costs, step by step.
        .executableTarget(
            name: "loading-benchmark", dependencies: ["ControlAPI", "OpsCore", "Netsim", "BPF"],
            path: "Benchmarks/Loading", swiftSettings: common),

        // The Examples' ops beside the same as native code.
        .executableTarget(
            name: "ops-benchmark", dependencies: ["OpsCore", "Netsim", "CShim"], path: "Benchmarks/Ops",
            exclude: ["native.c", "native.h"], swiftSettings: common),

        // Speaks a conformance suite's protocol: one program in, R0 out.
        .executableTarget(
            name: "bpf-conformance-plugin", dependencies: ["OpsHost", "ControlAPI", "BPF"],
            swiftSettings: common),

        .testTarget(name: "ControlAPITests", dependencies: ["ControlAPI", "CShim"], swiftSettings: common),
        .testTarget(
            name: "RegistryTests",
            dependencies: ["Registry", "ControlAPI", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: common),
        .testTarget(
            name: "OpsHostTests", dependencies: ["OpsHost", "ControlAPI", "Netsim", "OpsCore"],
            swiftSettings: common),
        .testTarget(
            name: "LabTests",
            dependencies: [
                "Lab", "OpsHost", "ControlAPI", "Netsim", "OpsCore",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: common),
        .testTarget(
            name: "ConformanceTests", dependencies: ["OpsHost", "ControlAPI", "BPF"], swiftSettings: common),
        // These run the programs that `swift build` has put beside the tests.
        .testTarget(
            name: "DaemonTests",
            dependencies: ["ControlAPI", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: common),
        .testTarget(
            name: "OpsCoreTests", dependencies: ["OpsCore", "BPF", "Verifier", "JIT", "CShim"],
            swiftSettings: common),
        .testTarget(name: "BPFTests", dependencies: ["BPF", "FuzzBodies"], swiftSettings: common),
        .testTarget(name: "VerifierTests", dependencies: ["Verifier", "BPF"], swiftSettings: common),
        // Tests/Fixtures/verifier before our verifier and the running kernel's.
        .testTarget(
            name: "VerifierCorpusTests", dependencies: ["OpsCore", "Verifier", "BPF"], swiftSettings: common),
        .testTarget(
            name: "JITTests", dependencies: ["JIT", "Verifier", "BPF", "CShim"], swiftSettings: common),
        // What must hold for any bytes: replayed over Tests/Corpus by unit tests, driven by libFuzzer in Fuzz/run.
        .target(
            name: "FuzzBodies", dependencies: ["BPF", "ControlAPI", "Netsim"], path: "Fuzz/Bodies",
            swiftSettings: common),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzBodies"], swiftSettings: common),
        .testTarget(
            name: "NetsimTests",
            dependencies: [
                "Netsim", "OpsCore", "JIT", "Verifier", "BPF", "KernelABI", "CShim", "LinuxComparison",
            ],
            swiftSettings: common),
        // The simulator beside measurements of Linux: Scripts/compare-linux, and thresholds in NetsimTests.
        .target(
            name: "LinuxComparison", dependencies: ["Netsim", "KernelABI"], path: "Tests/LinuxComparison",
            swiftSettings: common),
        .executableTarget(
            name: "linux-comparison", dependencies: ["LinuxComparison"], path: "Tests/LinuxComparisonTool",
            swiftSettings: common),

        // Random programs, and JIT = interpreter on them.
        .target(
            name: "ProgramGenerator", dependencies: ["BPF", "Verifier"], path: "Tests/ProgramGenerator",
            swiftSettings: common),
        .target(
            name: "Differential",
            dependencies: ["ProgramGenerator", "OpsCore", "JIT", "Verifier", "BPF", "CShim"],
            path: "Tests/Differential", swiftSettings: common),
        .executableTarget(
            name: "differential-tool", dependencies: ["Differential"], path: "Tests/DifferentialTool",
            swiftSettings: common),
        // Times the verifier: see Benchmarks/verify.
        .executableTarget(
            name: "verifier-bench", dependencies: ["OpsCore", "Netsim"], path: "Benchmarks/VerifierBench",
            swiftSettings: common),
        .testTarget(
            name: "DifferentialTests",
            dependencies: ["Differential", "ProgramGenerator", "OpsCore", "JIT", "Verifier", "BPF", "CShim"],
            swiftSettings: common),
    ]
        + fuzzers.map {
            .target(
                name: "Fuzz\($0)", dependencies: ["FuzzBodies"], path: "Fuzz/\($0)", swiftSettings: common)
        }
)
