import Glibc

extension BTF {
    /// Whether both have the same types under the same names, apart from the names of some variables, which may differ in
    /// their letters, not in their number. What no type refers to, as the text of source lines, does not count.
    ///
    /// - Parameter variables: VARs of this BTF. A name that anything else bears too, whole or its tail, must be the same.
    package func isSame(as other: BTF, apartFromNamesOf variables: Set<TypeID>) -> Bool {
        let (left, right) = (storage, other.storage)
        if left === right { return true }
        guard left.base === right.base, left.strings.bytes.count == right.strings.bytes.count,
            hasSameBytes(left.words, right.words)
        else { return false }
        guard let others = DifferingStrings(left.strings, right.strings) else { return true }
        return left.refers(to: others, onlyFrom: variables)
    }
}

/// The strings of a section that are others in one of the same length. Found in one pass, however many names overlap.
private struct DifferingStrings {
    /// Of the first one.
    private let start: Int
    /// By offset from there, up to the last byte that differs: whether the string that starts here does.
    private var differs: [Bool]

    /// nil: there are none.
    init?(_ left: BTFStrings, _ right: BTFStrings) {
        let (left, right, firstOffset) = (left.bytes, right.bytes, left.firstOffset)
        guard !hasSameBytes(left, right),
            var first = left.indices.first(where: { left[$0] != right[$0] }),
            let last = left.indices.last(where: { left[$0] != right[$0] })
        else { return nil }
        while first > 0, left[first - 1] != 0 { first -= 1 }
        start = firstOffset + first
        differs = [Bool](repeating: false, count: last - first + 1)
        var isOther = false
        for index in (first...last).reversed() {
            if left[index] != right[index] { isOther = true } else if left[index] == 0 { isOther = false }
            differs[index - first] = isOther
        }
    }

    func contains(_ offset: UInt32) -> Bool {
        let index = Int(offset) - start
        return differs.indices.contains(index) && differs[index]
    }
}

extension BTFStorage {
    /// Whether no own record refers to one of these strings, other than variables to their names.
    fileprivate func refers(to strings: DifferingStrings, onlyFrom variables: Set<TypeID>) -> Bool {
        for (position, start) in starts.enumerated() {
            let record = BTFRecord(words: words, start: Int(start))
            if strings.contains(record.nameOffset), !variables.contains(TypeID(firstID + position)) {
                return false
            }
            let stride: Int
            switch record.kind {
            case .struct, .union, .enum64: stride = 3
            case .enumeration, .prototype: stride = 2
            default: continue
            }
            // Members, enumerators and parameters all begin with their names.
            for index in 0..<record.vlen where strings.contains(record.word(stride * index)) {
                return false
            }
        }
        return true
    }
}

/// `==` would look at one element after the other.
package func hasSameBytes<Element: FixedWidthInteger>(_ left: [Element], _ right: [Element]) -> Bool {
    guard left.count == right.count else { return false }
    // SAFETY: both have `count` elements for the duration of the call, which integers fill without gaps.
    return left.withUnsafeBytes { left in
        right.withUnsafeBytes { right in
            guard let first = left.baseAddress, let second = right.baseAddress else { return true }
            return memcmp(first, second, left.count) == 0
        }
    }
}
