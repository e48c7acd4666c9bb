/// Shortening of jumps, places of loops, and filling in of distances.
extension Assembler {
    /// Finished code, and where the bytes of interest went.
    struct Output {
        var bytes: [UInt8]
        /// Final offsets of the labels that were asked for.
        var labelOffsets: [Int32]
    }

    /// Shortens every jump whose target is near, then fills in all distances.
    ///
    /// Starts from all jumps long and shortens while some still can be: each step only brings others closer, so no
    /// decision has to be taken back. Two or three rounds are usual. Then loops are moved, which may put a target out of
    /// reach of a short jump.
    ///
    /// - Parameter reporting: how many labels, from 0, to give final offsets for.
    consuming func finish(reporting labelCount: Int = 0) -> Output {
        let plan = placingLoops(planShortening())
        return Output(
            bytes: compacted(plan),
            labelOffsets: labelOffsets[..<labelCount].map { $0 < 0 ? -1 : plan.moved($0, fixups) })
    }

    /// Which jumps become short, and how many bytes disappear before each fixup.
    fileprivate struct Plan {
        var isShort: [Bool]
        /// Bytes before each loop.
        var padding: [Int32]
        /// `removed[i]`: bytes taken out by fixups before number `i`; one more entry for the total.
        var removed: [Int32]
        /// For each fixup, the number of fixups that lie before its target.
        var targetRank: [Int]

        /// Where the byte at `offset` of the long code ends up.
        func moved(_ offset: Int32, _ fixups: [Fixup]) -> Int32 {
            offset - removed[Assembler.rank(of: offset, fixups)]
        }
    }

    private func planShortening() -> Plan {
        var plan = Plan(
            isShort: [Bool](repeating: false, count: fixups.count),
            padding: [Int32](repeating: 0, count: fixups.count),
            removed: [Int32](repeating: 0, count: fixups.count + 1),
            targetRank: fixups.map { Assembler.rank(of: target($0), fixups) })
        plan.countRemoved(fixups)
        var changed = true
        while changed {
            changed = false
            for (i, fixup) in fixups.enumerated() where !plan.isShort[i] && fixup.isJump {
                // The end of the short form. Bytes that this round has already removed are not all counted yet, which
                // can only make a distance look longer than it is.
                let end = fixup.offset - plan.removed[i] + 2
                var destination = target(fixup) - plan.removed[plan.targetRank[i]]
                if plan.targetRank[i] > i { destination -= fixup.longByteCount - 2 }
                if Int8(exactly: destination - end) != nil {
                    plan.isShort[i] = true
                    changed = true
                }
            }
            if changed { plan.countRemoved(fixups) }
        }
        return plan
    }

    /// Bytes of a cache line, to a multiple of which code is loaded.
    static let lineByteCount: Int32 = 64
    /// Longer loops take two cycles a turn anyway, in which two lines can be fetched: they get a little room and no more.
    private static let shortLoopMax: Int32 = 44
    private static let longLoopPaddingMax: Int32 = 16

    private func placingLoops(_ shortest: Plan) -> Plan {
        guard fixups.contains(where: { $0.kind == .loopStart }) else { return shortest }
        var plan = shortest
        // Each round may move what the one before has settled; that is rare, and then the shortest code will do.
        for _ in 0..<8 {
            let before = plan.padding
            padLoops(&plan)
            if plan.padding == before { return plan }
            lengthenJumps(&plan)
        }
        return shortest
    }

    private func padLoops(_ plan: inout Plan) {
        var total: Int32 = 0
        for (i, fixup) in fixups.enumerated() where fixup.kind == .loopStart {
            // Without what this round has added before it, in terms of the last round's places.
            let end = plan.moved(target(fixup), fixups), old = fixup.offset + 1 - plan.removed[i + 1]
            let start = old - plan.padding[i] + total, byteCount = end - old
            let inLine = start & (Assembler.lineByteCount - 1)
            let isSplit = inLine + byteCount > Assembler.lineByteCount && byteCount <= Assembler.lineByteCount
            var padding = isSplit ? Assembler.lineByteCount - inLine : 0
            if byteCount > Assembler.shortLoopMax, padding > Assembler.longLoopPaddingMax { padding = 0 }
            total += padding - plan.padding[i]
            plan.padding[i] = padding
        }
        plan.countRemoved(fixups)
    }

    /// Gives up short jumps that do not reach their targets, until all do: each that is longer may move others away.
    private func lengthenJumps(_ plan: inout Plan) {
        var changed = true
        while changed {
            changed = false
            for (i, fixup) in fixups.enumerated() where plan.isShort[i] {
                let end = fixup.offset - plan.removed[i] + 2
                if Int8(exactly: target(fixup) - plan.removed[plan.targetRank[i]] - end) == nil {
                    plan.isShort[i] = false
                    changed = true
                }
            }
            if changed { plan.countRemoved(fixups) }
        }
    }

    private func target(_ fixup: Fixup) -> Int32 {
        let offset = labelOffsets[Int(fixup.label.index)]
        precondition(offset >= 0, "label \(fixup.label.index) was never bound")
        return offset
    }

    /// How many fixups start before `offset`. Fixups are in ascending order of their offsets.
    private static func rank(of offset: Int32, _ fixups: [Fixup]) -> Int {
        var low = 0, high = fixups.count
        while low < high {
            let middle = (low + high) / 2
            if fixups[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func compacted(_ plan: Plan) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count - Int(plan.removed[fixups.count]))
        var copied = 0
        for (i, fixup) in fixups.enumerated() {
            output.append(contentsOf: bytes[copied..<Int(fixup.offset)])
            copied = Int(fixup.offset + fixup.longByteCount)
            let destination = target(fixup) - plan.removed[plan.targetRank[i]]
            switch (fixup.kind, plan.isShort[i]) {
            case (.jump, true): output.append(0xeb)
            case (.jump, false): output.append(0xe9)
            case (.conditionalJump(let condition), true): output.append(0x70 | condition.rawValue)
            case (.conditionalJump(let condition), false):
                output.append(0x0f)
                output.append(0x80 | condition.rawValue)
            case (.relative32, _): break
            case (.loopStart, _):
                Assembler.appendNops(Int(plan.padding[i]), to: &output)
                continue
            }
            let fieldByteCount: Int32 = plan.isShort[i] ? 1 : 4
            let distance = destination - (Int32(output.count) + fieldByteCount)
            for shift in stride(from: 0, to: fieldByteCount * 8, by: 8) {
                output.append(UInt8(truncatingIfNeeded: distance >> shift))
            }
        }
        output.append(contentsOf: bytes[copied...])
        return output
    }

    /// Instructions that do nothing, as few as can be.
    ///
    /// Source: Intel SDM vol. 2, NOP, table "Recommended multi-byte sequences".
    static func appendNops(_ byteCount: Int, to output: inout [UInt8]) {
        var rest = byteCount
        while rest > 0 {
            let nop = nops[min(rest, nops.count) - 1]
            output.append(contentsOf: nop)
            rest -= nop.count
        }
    }

    private static let nops: [[UInt8]] = [
        [0x90], [0x66, 0x90], [0x0f, 0x1f, 0x00], [0x0f, 0x1f, 0x40, 0x00], [0x0f, 0x1f, 0x44, 0x00, 0x00],
        [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00], [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
        [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
        [0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    ]
}

extension Assembler.Plan {
    fileprivate mutating func countRemoved(_ fixups: [Assembler.Fixup]) {
        var total: Int32 = 0
        for (i, fixup) in fixups.enumerated() {
            removed[i] = total
            if isShort[i] { total += fixup.longByteCount - 2 }
            if fixup.kind == .loopStart { total += 1 - padding[i] }
        }
        removed[fixups.count] = total
    }
}
