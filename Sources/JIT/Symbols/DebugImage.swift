/// An ELF file in memory that says where functions are and how to unwind their frames: what gdb's JIT interface takes.
///
/// Its `.text` has no contents, since the code is where it is, unless a disassembler wants it (`includesCode`). Addresses
/// are absolute.
package struct DebugImage {
    let symbols: [CodeSymbol]
    let code: [UInt8]
    let address: UInt64
    var includesCode = false

    init(symbols: [CodeSymbol], code: [UInt8], address: UInt64) {
        self.symbols = symbols
        self.code = code
        self.address = address
    }

    /// A file for a disassembler: code from address 0 on.
    package init(ofCode code: [UInt8]) {
        self.init(symbols: [], code: code, address: 0)
        includesCode = true
    }

    private struct Section {
        var name: String
        var type: UInt32
        var flags: UInt64 = 0
        var address: UInt64 = 0
        /// nil: NOBITS of this size.
        var contents: [UInt8]?
        var byteCount: Int
        var link: UInt32 = 0
        var info: UInt32 = 0
        var entrySize: UInt64 = 0
    }

    package var bytes: [UInt8] {
        let (symbolTable, strings) = self.symbolTable
        let frames = FrameTable(symbols: symbols, code: code, address: address).bytes
        var sections = [
            Section(name: "", type: 0, contents: [], byteCount: 0),
            // NOBITS or PROGBITS; allocated, executable.
            Section(
                name: ".text", type: includesCode ? 1 : 8, flags: 6, address: address,
                contents: includesCode ? code : nil, byteCount: code.count),
            Section(name: ".eh_frame", type: 1, flags: 2, contents: frames, byteCount: frames.count),
            // Linked to .strtab; all symbols are global, so the first that is not local is number 1.
            Section(
                name: ".symtab", type: 2, contents: symbolTable, byteCount: symbolTable.count, link: 4,
                info: 1,
                entrySize: 24),
            Section(name: ".strtab", type: 3, contents: strings, byteCount: strings.count),
        ]
        var names: [UInt8] = []
        var nameOffsets: [UInt32] = []
        for name in sections.map(\.name) + [".shstrtab"] {
            nameOffsets.append(UInt32(names.count))
            names += Array(name.utf8) + [0]
        }
        sections.append(Section(name: ".shstrtab", type: 3, contents: names, byteCount: names.count))
        return file(sections, nameOffsets)
    }

    /// Header, contents, section table. Source: System V ABI, chapter 4.
    private func file(_ sections: [Section], _ nameOffsets: [UInt32]) -> [UInt8] {
        var contents = ByteWriter()
        contents.bytes = [UInt8](repeating: 0, count: 64)
        var offsets: [UInt64] = []
        for section in sections {
            contents.pad(to: 8)
            offsets.append(UInt64(contents.bytes.count))
            contents.bytes += section.contents ?? []
        }
        contents.pad(to: 8)
        var header = ByteWriter()
        header.bytes = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8)
        header.put(2 as UInt16)  // ET_EXEC: symbols hold addresses
        header.put((Architecture.host == .aarch64 ? 183 : 62) as UInt16)
        header.put(1 as UInt32)
        header.put(0 as UInt64)
        header.put(0 as UInt64)
        header.put(UInt64(contents.bytes.count))
        header.put(0 as UInt32)
        for field: UInt16 in [64, 0, 0, 64, UInt16(sections.count), UInt16(sections.count - 1)] {
            header.put(field)
        }
        contents.bytes.replaceSubrange(0..<64, with: header.bytes)
        for (index, section) in sections.enumerated() {
            contents.put(nameOffsets[index])
            contents.put(section.type)
            contents.put(section.flags)
            contents.put(section.address)
            contents.put(offsets[index])
            contents.put(UInt64(section.byteCount))
            contents.put(section.link)
            contents.put(section.info)
            contents.put(8 as UInt64)
            contents.put(section.entrySize)
        }
        return contents.bytes
    }

    private var symbolTable: (entries: [UInt8], strings: [UInt8]) {
        var entries = ByteWriter(), strings: [UInt8] = [0]
        entries.bytes = [UInt8](repeating: 0, count: 24)
        for symbol in symbols {
            entries.put(UInt32(strings.count))
            strings += Array(symbol.name.utf8) + [0]
            entries.put(0x12 as UInt8)  // global function
            entries.put(0 as UInt8)
            entries.put(1 as UInt16)  // in .text
            entries.put(address + UInt64(symbol.offset))
            entries.put(UInt64(symbol.byteCount))
        }
        return (entries.bytes, strings)
    }
}

/// `.eh_frame` for functions of generated x86-64 code: how their prologues move the stack pointer, read from the code
/// itself. Behind the prologue the frame stays as it is, but in the few instructions before a return.
///
/// On AArch64 every frame begins with the pair of x29 and x30, which debuggers follow without this.
///
/// Source: System V ABI, AMD64 supplement, section 4.2.4; DWARF 5, section 6.4.
struct FrameTable {
    let symbols: [CodeSymbol]
    let code: [UInt8]
    let address: UInt64

    private enum CFA {
        static let advanceOne: UInt8 = 0x02
        static let define: UInt8 = 0x0c
        static let defineRegister: UInt8 = 0x0d
        static let defineOffset: UInt8 = 0x0e
        static let offset: UInt8 = 0x80
        static let nop: UInt8 = 0
    }
    private enum DWARFRegister {
        static let framePointer: UInt8 = 6
        static let stackPointer: UInt8 = 7
        static let returnAddress: UInt8 = 16
        /// By the number in machine code.
        static let numbers: [UInt8] = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15]
    }

    var bytes: [UInt8] {
        guard Architecture.host == .x86_64 else { return [] }
        var table = ByteWriter()
        putEntry(into: &table, identity: 0) { entry in
            entry.put(1 as UInt8)
            entry.bytes += Array("zR".utf8) + [0]
            // Factors of code and data, -8 as SLEB128; the augmentation: addresses are absolute.
            entry.bytes += [1, 0x78, DWARFRegister.returnAddress, 1, 0]
            entry.bytes += [CFA.define, DWARFRegister.stackPointer, 8]
            entry.bytes += [CFA.offset | DWARFRegister.returnAddress, 1]
        }
        for symbol in symbols {
            // The distance back to the common entry at 0.
            putEntry(into: &table, identity: UInt32(table.bytes.count + 4)) { entry in
                entry.put(address + UInt64(symbol.offset))
                entry.put(UInt64(symbol.byteCount))
                entry.put(0 as UInt8)
                entry.bytes += rules(of: symbol)
            }
        }
        table.put(0 as UInt32)
        return table.bytes
    }

    private func putEntry(into table: inout ByteWriter, identity: UInt32, _ body: (inout ByteWriter) -> Void)
    {
        var entry = ByteWriter()
        entry.put(identity)
        body(&entry)
        while (entry.bytes.count + 4) % 8 != 0 { entry.put(CFA.nop) }
        table.put(UInt32(entry.bytes.count))
        table.bytes += entry.bytes
    }

    /// Walks the pushes, `mov rbp, rsp` and `sub rsp, n` that the function starts with.
    private func rules(of symbol: CodeSymbol) -> [UInt8] {
        var rules: [UInt8] = []
        var depth = 8, last = 0, followsStack = true
        let body = code[symbol.offset..<min(symbol.offset + symbol.byteCount, code.count)]
        var rest = body
        func advance(to position: Int) {
            rules += [CFA.advanceOne, UInt8(truncatingIfNeeded: position - last)]
            last = position
        }
        while let (step, length) = FrameTable.prologueStep(rest), last + length < 256 {
            rest = rest.dropFirst(length)
            advance(to: rest.startIndex - body.startIndex)
            switch step {
            case .push(let register):
                depth += 8
                if followsStack { rules += [CFA.defineOffset] + FrameTable.uleb(depth) }
                rules += [CFA.offset | DWARFRegister.numbers[Int(register)]] + FrameTable.uleb(depth / 8)
            case .setFrame:
                followsStack = false
                rules += [CFA.defineRegister, DWARFRegister.framePointer]
            case .grow(let byteCount):
                depth += byteCount
                if followsStack { rules += [CFA.defineOffset] + FrameTable.uleb(depth) }
            }
        }
        return rules
    }

    private enum PrologueStep { case push(UInt8), setFrame, grow(Int) }

    /// nil: another instruction, so the prologue is over.
    private static func prologueStep(_ code: ArraySlice<UInt8>) -> (PrologueStep, length: Int)? {
        let head = Array(code.prefix(7))
        guard head.count == 7 else { return nil }
        switch (head[0], head[1], head[2]) {
        case (0x50...0x57, _, _): return (.push(head[0] & 7), 1)
        case (0x41, 0x50...0x57, _): return (.push(8 + (head[1] & 7)), 2)
        case (0x48, 0x89, 0xe5): return (.setFrame, 3)
        case (0x48, 0x83, 0xec): return (.grow(Int(head[3] & 0x7f)), 4)
        case (0x48, 0x81, 0xec):
            let count = head[3...6].reversed().reduce(0) { $0 << 8 | Int($1) }
            return (.grow(count), 7)
        default: return nil
        }
    }

    private static func uleb(_ value: Int) -> [UInt8] {
        var value = value, bytes: [UInt8] = []
        repeat {
            let low = UInt8(value & 0x7f)
            value >>= 7
            bytes.append(value == 0 ? low : low | 0x80)
        } while value != 0
        return bytes
    }
}
