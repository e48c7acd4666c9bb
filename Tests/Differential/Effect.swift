import ProgramGenerator
import Verifier

/// What a program can change, and so what must be equal afterwards, whatever ran it.
struct Effect: Equatable {
    struct Element: Equatable {
        var key: [UInt8]
        var value: [UInt8]
    }
    var r0: UInt64
    /// Of objects, all but their pointers.
    var memory: [UInt8]
    var fuelLeft: UInt64
    var randomState: UInt64
    var maps: [[Element]]

    /// A line for each thing that is not as `expected`, which comes second.
    func differences(from expected: Effect, in program: GeneratedProgram) -> String {
        var lines: [String] = []
        func compare(_ name: String, _ mine: UInt64, _ other: UInt64) {
            if mine != other { lines.append("\(name): 0x\(hex(mine)), expected 0x\(hex(other))") }
        }
        compare("R0", r0, expected.r0)
        compare("fuel left", fuelLeft, expected.fuelLeft)
        compare("random state", randomState, expected.randomState)
        lines += Self.differences("memory", memory, expected.memory)
        for (index, map) in program.image.maps.enumerated() where maps[index] != expected.maps[index] {
            let mine = maps[index], other = expected.maps[index]
            guard mine.map(\.key) == other.map(\.key) else {
                lines.append(
                    "map '\(map.name)': keys \(mine.map { bytes($0.key) }), expected \(other.map { bytes($0.key) })"
                )
                continue
            }
            for (a, b) in zip(mine, other) {
                lines += Self.differences("map '\(map.name)' [\(bytes(a.key))]", a.value, b.value)
            }
        }
        return lines.map { "  " + $0 }.joined(separator: "\n")
    }

    /// The words that differ, by their offset.
    private static func differences(_ name: String, _ mine: [UInt8], _ expected: [UInt8]) -> [String] {
        guard mine.count == expected.count else {
            return ["\(name): \(mine.count) bytes, expected \(expected.count)"]
        }
        return stride(from: 0, to: mine.count, by: 8).compactMap { offset in
            let range = offset..<min(offset + 8, mine.count)
            guard mine[range] != expected[range] else { return nil }
            return "\(name) +\(offset): \(bytes(mine[range])), expected \(bytes(expected[range]))"
        }
    }
}

private func hex(_ value: UInt64) -> String { String(value, radix: 16) }

/// In the order of memory.
private func bytes(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
}
