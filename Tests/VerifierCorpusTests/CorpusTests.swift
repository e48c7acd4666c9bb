import BPF
import Foundation
import Testing

/// The programs of Tests/Fixtures/verifier before our verifier and, where bpf(2) is permitted, before the kernel's.
@Suite(
    "verifier corpus", .serialized,
    .enabled(if: KernelTypes.areReadable, "needs the kernel's types: /sys/kernel/btf/vmlinux"))
struct CorpusTests {
    @Test("every program has the verdict and the reason that it is marked with", arguments: Fixture.topics)
    func verdicts(topic: String) throws {
        let entry = try Corpus.entry(topic)
        for program in entry.fixture.programs {
            let marks = try #require(
                entry.fixture.marks[program.name], "\(topic).\(program.name) has no mark")
            let ours = try #require(entry.judgements[program.name])
            if let lacking = ours.lacking, !KernelTypes.areRecorded {
                print(
                    "\(topic).\(program.name) is not judged, the running kernel lacks what it uses: \(lacking)"
                )
                continue
            }
            #expect(
                ours.verdict == marks.expected && (marks.part.isEmpty || ours.problem.contains(marks.part)),
                "\(topic).\(program.name): \(ours.verdict.rawValue): \(ours.problem)")
        }
    }

    @Test("pruning changes no verdict", arguments: Fixture.topics)
    func pruning(topic: String) throws {
        let entry = try Corpus.entry(topic)
        let without = try Judgement.all(of: entry.fixture, isPruningOff: true)
        let ended = without.filter { $0.value.processed < Judgement.budgetWithoutPruning }
        for (name, judgement) in ended {
            #expect(entry.judgements[name]?.verdict == judgement.verdict, "\(topic).\(name)")
        }
        // Those whose paths are too many are the few that are about pruning.
        #expect(ended.count * 10 >= without.count * 7, "\(topic): \(ended.count) of \(without.count)")
    }

    @Test("what a suggestion says makes the program pass", arguments: Fixture.topics)
    func suggestions(topic: String) throws {
        let entry = try Corpus.entry(topic)
        guard entry.fixture.marks.values.contains(where: { $0.suggestion != nil }) else { return }
        let fixed = try Judgement.all(of: try Fixture(topic: topic, isFixed: true))
        for (name, marks) in entry.fixture.marks {
            guard let part = marks.suggestion else { continue }
            let said = entry.judgements[name]?.suggestion ?? ""
            #expect(part.isEmpty || said.contains(part), "\(topic).\(name) suggests: \(said)")
            #expect(
                fixed[name]?.verdict == .accept, "\(topic).\(name) when fixed: \(fixed[name]?.problem ?? "")")
        }
    }

    @Test("the corpus is as large as promised")
    func size() throws {
        let marks = try Fixture.topics.flatMap { Array(try Corpus.entry($0).fixture.marks.values) }
        #expect(marks.count >= 400)
        #expect(marks.count { $0.suggestion != nil } >= 40)
    }

    @Test("parity with the verdicts of Linux that the marks record")
    func parity() throws {
        var table = ParityTable()
        for topic in Fixture.topics {
            let entry = try Corpus.entry(topic)
            for (name, marks) in entry.fixture.marks {
                guard let ours = entry.judgements[name] else { continue }
                table.add("\(topic).\(name)", marks, ours: ours.verdict)
            }
        }
        print(table.text)
        #expect(table.unsafeAccepted.isEmpty)
        #expect(table.acceptedShare >= 0.97)
        #expect(table.unsupportedShare <= 0.1)
        #expect(table.unexplained.isEmpty)
    }

    @Test(
        "the running kernel's verdicts are those recorded",
        .enabled(if: KernelJudge.isUsable, "the kernel is not asked: \(KernelJudge.whyNot)"))
    func kernel() throws {
        var comparison = KernelComparison(release: KernelTypes.release)
        for topic in Fixture.topics {
            let fixture = try Corpus.entry(topic).fixture
            let verdicts = try KernelJudge.verdicts(fixture.path)
            for (name, marks) in fixture.marks {
                let verdict = try #require(verdicts[name], "\(topic).\(name) was not judged")
                comparison.add("\(topic).\(name)", marks, verdict)
            }
        }
        print(comparison.text)
        if comparison.isOfRecordedKernel {
            #expect(comparison.different.isEmpty)
        } else {
            // Another kernel may know less, or prove more: but by and large the verdicts are those of Linux.
            #expect(comparison.agreement >= KernelComparison.leastAgreement)
        }
    }
}
