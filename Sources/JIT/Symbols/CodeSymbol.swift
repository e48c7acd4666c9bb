import BPF
package import Verifier

/// A function of machine code, for tools that look at a process from outside.
package struct CodeSymbol: Equatable, Sendable {
    package var name: String
    /// From the start of the code that the symbol is told with.
    package var offset: Int
    package var byteCount: Int
    /// Where its instructions come from, ascending by offset.
    package var lines: [Line]

    package struct Line: Equatable, Sendable {
        package var offset: Int
        package var file: String
        package var line: Int
    }

    package init(name: String, offset: Int, byteCount: Int, lines: [Line] = []) {
        self.name = name
        self.offset = offset
        self.byteCount = byteCount
        self.lines = lines
    }

    func moved(by distance: Int) -> CodeSymbol {
        var symbol = self
        symbol.offset += distance
        for index in symbol.lines.indices { symbol.lines[index].offset += distance }
        return symbol
    }
}

extension CompiledProgram {
    /// One symbol per subprog, with the C names; what follows the last one (callback thunks) counts to it.
    package func symbols(of image: ProgramImage) -> [CodeSymbol] {
        let starts = zip(subprogOffsets, image.subprogs).filter { $0.0 >= 0 }.sorted { $0.0 < $1.0 }
        return starts.enumerated().map { index, start in
            let offset = Int(start.0)
            let end = index + 1 < starts.count ? Int(starts[index + 1].0) : code.count
            return CodeSymbol(
                name: start.1.name, offset: offset, byteCount: end - offset,
                lines: lines(of: image, in: offset..<end))
        }
    }

    private func lines(of image: ProgramImage, in range: Range<Int>) -> [CodeSymbol.Line] {
        image.lines.compactMap { line in
            guard insnOffsets.indices.contains(line.insn) else { return nil }
            let offset = Int(insnOffsets[line.insn])
            guard range.contains(offset) else { return nil }
            return CodeSymbol.Line(offset: offset, file: image.file(of: line), line: line.line)
        }
        .sorted { $0.offset < $1.offset }
    }
}
