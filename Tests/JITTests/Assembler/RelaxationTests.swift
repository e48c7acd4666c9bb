import Testing

@testable import JIT

/// Jumps become short exactly when they can, and land where their labels are.
@Suite("Jump shortening") struct RelaxationTests {
    /// `jmp label; nop × count; label: ret`.
    private func forward(_ count: Int) -> [UInt8] {
        var assembler = Assembler()
        let label = assembler.makeLabel()
        assembler.jump(label)
        for _ in 0..<count { assembler.put(0x90) }
        assembler.bind(label)
        assembler.ret()
        return assembler.finish().bytes
    }

    @Test("forward jumps of up to 127 bytes are short") func forwardLimit() {
        #expect(forward(127).prefix(2) == [0xeb, 127])
        #expect(forward(128).prefix(5) == [0xe9, 128, 0, 0, 0])
    }

    @Test("backward jumps of up to 128 bytes are short", arguments: [126, 127])
    func backwardLimit(count: Int) {
        var assembler = Assembler()
        let label = assembler.makeLabel()
        assembler.bind(label)
        for _ in 0..<count { assembler.put(0x90) }
        assembler.jump(.notEqual, label)
        let tail = Array(assembler.finish().bytes.dropFirst(count))
        #expect(tail == (count == 126 ? [0x75, 0x80] : [0x0f, 0x85, 0x7b, 0xff, 0xff, 0xff]))
    }

    @Test("a jump becomes short because those inside it do") func chain() {
        var assembler = Assembler()
        let end = assembler.makeLabel()
        // 40 conditional jumps to the end: 240 bytes long, 80 bytes short.
        for _ in 0..<40 { assembler.jump(.equal, end) }
        assembler.bind(end)
        assembler.ret()
        let bytes = assembler.finish().bytes
        #expect(bytes.count == 81)
        #expect(bytes.prefix(2) == [0x74, 78])
    }

    @Test(
        "a short loop lies in one cache line, a longer one where that takes little",
        arguments: [(0, 30), (40, 20), (50, 30), (63, 42), (30, 43), (50, 43), (10, 70)])
    func loops(before: Int, body: Int) {
        var assembler = Assembler(labelCount: 2)
        let head = Label(index: 0), end = Label(index: 1)
        for _ in 0..<before { assembler.put(0x90) }
        assembler.startLoop(until: end)
        assembler.bind(head)
        for _ in 0..<body { assembler.put(0x90) }
        assembler.jump(.notEqual, head)
        assembler.bind(end)
        let output = assembler.finish(reporting: 2)
        let start = Int(output.labelOffsets[0]), last = Int(output.labelOffsets[1]) - 1
        #expect(last - start + 1 == body + 2)
        let isPlaced = body + 2 <= 44 || body + 2 <= 64 && before >= 48
        if isPlaced { #expect(start / 64 == last / 64) } else { #expect(start == before) }
    }

    @Test("random webs of jumps land on their labels", arguments: UInt64(1)...40)
    func randomWebs(seed: UInt64) {
        var random = seed &* 0x9e37_79b9_7f4a_7c15
        func next(_ bound: Int) -> Int {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(random >> 33) % bound
        }
        let count = 60
        var assembler = Assembler(labelCount: count)
        // Each label is followed by `mov eax, number`, which identifies it.
        for number in 0..<count {
            assembler.bind(Label(index: Int32(number)))
            assembler.put(0xb8)
            assembler.put32(Int32(number))
            // Moving a loop may put targets out of a short jump's reach.
            if number + 1 < count, next(3) == 0 {
                assembler.startLoop(until: Label(index: Int32(number + 1)))
            }
            for _ in 0..<next(12) { assembler.put(0x90) }
            let label = Label(index: Int32(next(count)))
            switch next(4) {
            case 0: assembler.jump(label)
            case 1: assembler.jump(.less, label)
            case 2: assembler.call(label)
            default: assembler.loadAddress(.rcx, of: label)
            }
        }
        let targets = assembler.fixups.filter { $0.kind != .loopStart }.map(\.label.index)
        let output = assembler.finish(reporting: count)
        for (number, target) in targets.enumerated() {
            // The reference stands right before the next label, or the end.
            let end = number + 1 < count ? Int(output.labelOffsets[number + 1]) : output.bytes.count
            let isShort =
                [0xeb, 0x7c].contains(output.bytes[end - 2]) && isShortJump(output.bytes, end, target, output)
            let distance =
                isShort
                ? Int(Int8(bitPattern: output.bytes[end - 1]))
                : Int(
                    Int32(
                        bitPattern: output.bytes[(end - 4)..<end].reversed().reduce(UInt32(0)) {
                            $0 << 8 | UInt32($1)
                        }))
            #expect(end + distance == Int(output.labelOffsets[Int(target)]), "label \(number)")
            let mark = Int(output.labelOffsets[number])
            #expect(output.bytes[mark] == 0xb8 && output.bytes[mark + 1] == UInt8(number))
        }
    }

    private func isShortJump(_ bytes: [UInt8], _ end: Int, _ target: Int32, _ output: Assembler.Output)
        -> Bool
    {
        end + Int(Int8(bitPattern: bytes[end - 1])) == Int(output.labelOffsets[Int(target)])
    }
}
