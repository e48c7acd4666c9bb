import Differential
import Foundation

// differential [--aarch64] [--inside N] [COUNT [SEED [TRACE]]]: compares interpreter and machine code on COUNT generated
// programs, seeds SEED, SEED + 1, …: R0, memory, stack (folded into R0), maps, fuel, random state. Then runs each (with
// --inside, one of N) in the interpreter over hostile inputs and looks whether every step lies inside what the verifier
// has seen. Exits 1 if any differs. TRACE 1 prints each seed before it runs, for what ends the process.
//
// differential [--aarch64] --seed SEED: the same for one program, which is printed.
//
// With --aarch64 the code of the AArch64 generator runs, under qemu-user.
var words = Array(CommandLine.arguments.dropFirst())
/// Takes an option out; with a value, that too.
@MainActor func take(_ name: String) -> Bool {
    guard let index = words.firstIndex(of: name) else { return false }
    words.remove(at: index)
    return true
}
@MainActor func takeNumber(_ name: String) -> UInt64? {
    guard let index = words.firstIndex(of: name), index + 1 < words.count,
        let number = UInt64(words[index + 1])
    else { return nil }
    words.removeSubrange(index...index + 1)
    return number
}
let isAArch64 = take("--aarch64")
let alone = takeNumber("--seed"), insideEvery = takeNumber("--inside") ?? 1
let numbers = words.compactMap(UInt64.init)
guard numbers.count == words.count, numbers.count <= 3, alone == nil || numbers.isEmpty, insideEvery > 0
else {
    FileHandle.standardError.write(
        Data("usage: differential [--aarch64] [--inside N] [COUNT [SEED [TRACE]] | --seed SEED]\n".utf8))
    exit(2)
}
let count = alone == nil ? Int(clamping: numbers.first ?? 10_000) : 1
let first = alone ?? numbers.dropFirst().first ?? 1
let trace = alone == nil ? Int(clamping: numbers.dropFirst(2).first ?? 0) : 2
let started = ContinuousClock.now
let tally =
    isAArch64
    ? try await compareGeneratedProgramsOnAArch64(count: count, first: first, trace: trace)
    : try await compareGeneratedPrograms(
        count: count, first: first, looksInsideEvery: alone == nil ? Int(clamping: insideEvery) : 1,
        trace: trace)
let elapsed = ContinuousClock.now - started
print(tally.summary(seconds: elapsed / .seconds(1)))
for difference in tally.differences { print("\n\(difference)") }
// Fewer accepted programs would mean that less is compared than it seems.
exit(tally.differences.isEmpty && tally.accepted * 100 >= count * 95 ? 0 : 1)
