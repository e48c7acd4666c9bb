import BPF

/// The log of a verification in the kernel's own format: each instruction with what it changed.
///
/// ```
/// 0: R1=ctx() R10=fp0
/// ; if (i > 15) @ prog.bpf.c:12
/// 0: (61) r2 = *(u32 *)(r1 +0)          ; R1=ctx() R2=scalar(…)
/// from 3 to 7: R0=… R10=fp0
/// ```
/// Level 1 keeps what leads to the current instruction, level 2 every path.
struct KernelLog {
    private let level: Int
    private let image: ProgramImage
    private let describe: StateText
    private let insns: KernelInstructionText
    /// By instruction: its record in `image.lines`; -1: none.
    private let lineOf: [Int]
    private(set) var text = ""
    private var lastLine: Int?
    /// Where the line of the last instruction begins, while it is still the last line.
    private var openLine: Int?
    private var isTruncated = false

    /// A log that nobody can read is cut rather than kept.
    private static let byteCountMax = 64 << 20

    init(level: Int, _ image: ProgramImage, names: DisassemblyNames, describe: StateText) {
        self.level = level
        self.image = image
        self.describe = describe
        insns = KernelInstructionText(image: image, names: names)
        lineOf = image.lineIndices
    }

    var mark: Int { text.utf8.count }

    // MARK: Lines

    mutating func addStart(_ state: State) {
        guard text.isEmpty else { return }
        for (index, subprog) in image.subprogs.enumerated() { put("func#\(index) @\(subprog.start)\n") }
        put("0: \(describe.all(state))\n")
    }

    mutating func add(insn: Int, depth: Int) {
        addSource(of: insn)
        openLine = mark
        put("\(insn): \(insns.text(at: insn))\n")
    }

    /// Completes the last instruction's line.
    mutating func addChanges(_ before: State, _ state: State) {
        let changes = describe.changes(before, state)
        guard !changes.isEmpty, let openLine, !isTruncated else { return }
        // The kernel's columns (`vlog_alignment`): 40, or the next multiple of 8.
        let width = mark - openLine
        let column = (max(width + 4, 40) + 7) / 8 * 8
        text.removeLast()
        put(String(repeating: " ", count: column - width - 1) + "; \(changes)\n")
        self.openLine = nil
    }

    mutating func addSafe(at insn: Int) { put("\(insn): safe\n") }

    mutating func addNote(_ note: String) {
        openLine = nil
        lastLine = nil
        put(note + "\n")
    }

    mutating func resume(from: Int, to insn: Int, mark: Int, _ state: State) {
        if level == 1 { cut(to: mark) }
        lastLine = nil
        openLine = nil
        put("\nfrom \(from) to \(insn): \(describe.all(state))\n")
    }

    mutating func end(_ statistics: String) { text += statistics + "\n" }

    private mutating func addSource(of insn: Int) {
        let index = lineOf[insn]
        guard index >= 0, index != lastLine else { return }
        lastLine = index
        let line = image.lines[index]
        put(
            "; \(image.text(of: line).trimmed) @ \(image.file(of: line).lastPathComponent):\(line.line)\n")
    }

    // MARK: Text

    private mutating func put(_ addition: String) {
        guard !isTruncated else { return }
        guard mark + addition.utf8.count <= KernelLog.byteCountMax else {
            isTruncated = true
            text += "… the log is longer than \(KernelLog.byteCountMax >> 20) MiB\n"
            return
        }
        text += addition
    }

    private mutating func cut(to mark: Int) {
        guard mark < self.mark,
            let end = text.utf8.index(text.startIndex, offsetBy: mark, limitedBy: text.endIndex)
        else { return }
        text.removeSubrange(end...)
        isTruncated = false
    }
}

extension ProgramImage {
    /// By instruction: the position in `lines` of the record that covers it; -1: none.
    var lineIndices: [Int] {
        var indices = Array(repeating: -1, count: insns.count)
        var next = 0
        for insn in insns.indices {
            while next < lines.count, lines[next].insn <= insn { next += 1 }
            indices[insn] = next - 1
        }
        return indices
    }
}

extension String {
    var lastPathComponent: Substring { split(separator: "/").last ?? self[...] }
    var trimmed: Substring {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }
}
