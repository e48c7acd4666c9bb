import BPF
package import Verifier

/// A random program that ought to be safe, what to run it on, and what is in it.
package struct GeneratedProgram: Sendable {
    package var seed: UInt64
    package var image: ProgramImage
    /// Plain memory: R1 = `input`, R2 = its size. Or slots: R1 = the arguments that `GeneratedNodes` makes of `input`.
    package var context: ProgramContext
    package var input: [UInt8]
    package var statistics: Statistics

    /// The input itself, zeros, ones, and words at which arithmetic goes wrong.
    package var hostileInputs: [[UInt8]] {
        var random = SplitMix(seed: seed &+ 0x5eed)
        var edges: [UInt8] = []
        while edges.count < input.count {
            let word = random.wide()
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                edges.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return [
            input, [UInt8](repeating: 0, count: input.count), [UInt8](repeating: 0xff, count: input.count),
            Array(edges.prefix(input.count)),
        ]
    }

    /// What was generated, for the distribution that a test prints.
    package struct Statistics: Sendable {
        package var insns = 0
        package var helperCalls = 0
        package var subprogCalls = 0
        package var globalCalls = 0
        /// Ways from one object to the next.
        package var walks = 0
        package var loops = 0
        package var branches = 0
        package var atomics = 0
        package var memoryAccesses = 0

        package init() {}

        package static func += (left: inout Statistics, right: Statistics) {
            left.insns += right.insns
            left.helperCalls += right.helperCalls
            left.subprogCalls += right.subprogCalls
            left.globalCalls += right.globalCalls
            left.walks += right.walks
            left.loops += right.loops
            left.branches += right.branches
            left.atomics += right.atomics
            left.memoryAccesses += right.memoryAccesses
        }
    }
}

/// UAPI numbers of the helpers that generated programs call.
package enum GeneratedHelper {
    package static let mapLookup: Int32 = 1
    package static let mapUpdate: Int32 = 2
    package static let mapDelete: Int32 = 3
    package static let ktime: Int32 = 5
    package static let prandom: Int32 = 7
    package static let cpu: Int32 = 8
    package static let probeRead: Int32 = 113
    package static let jiffies: Int32 = 118
    package static let forEachMapElement: Int32 = 164
    package static let loop: Int32 = 181

    package static let all: Set<Int32> = [
        mapLookup, mapUpdate, mapDelete, ktime, prandom, cpu, probeRead, jiffies, forEachMapElement, loop,
    ]
}

/// The maps that every generated program has.
package enum GeneratedMap: Int, CaseIterable, Sendable {
    case array, hash, percpuArray, data

    package var description: MapDescription {
        switch self {
        case .array: MapDescription(name: "array", type: .array, keySize: 4, valueSize: 32, maxEntries: 4)
        case .hash: MapDescription(name: "hash", type: .hash, keySize: 8, valueSize: 16, maxEntries: 8)
        case .percpuArray:
            MapDescription(name: "percpu", type: .percpuArray, keySize: 4, valueSize: 24, maxEntries: 3)
        case .data: MapDescription(name: ".data", type: .array, keySize: 4, valueSize: 64, maxEntries: 1)
        }
    }
}
