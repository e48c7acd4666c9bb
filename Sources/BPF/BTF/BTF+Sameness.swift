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
        return hasSameBytes(left.strings.bytes, right.strings.bytes)
            || left.refers(onlyFrom: variables, to: left.strings.differences(from: right.strings))
    }
}

extension BTFStrings {
    /// By offset from the first: whether the string that starts there is another one in a section of the same length.
    fileprivate func differences(from other: BTFStrings) -> [Bool] {
        var differs = false
        var differences = [Bool](repeating: false, count: bytes.count)
        for index in bytes.indices.reversed() {
            if bytes[index] != other.bytes[index] {
                differs = true
            } else if bytes[index] == 0 {
                differs = false
            }
            differences[index] = differs
        }
        return differences
    }
}

extension BTFStorage {
    /// Whether no own record refers to one of these strings, other than variables to their names.
    fileprivate func refers(onlyFrom variables: Set<TypeID>, to strings: [Bool]) -> Bool {
        func isOne(_ offset: UInt32) -> Bool {
            let index = Int(offset) - self.strings.firstOffset
            return strings.indices.contains(index) && strings[index]
        }
        for (position, start) in starts.enumerated() {
            let record = BTFRecord(words: words, start: Int(start))
            if isOne(record.nameOffset), !variables.contains(TypeID(firstID + position)) { return false }
            let stride: Int
            switch record.kind {
            case .struct, .union, .enum64: stride = 3
            case .enumeration, .prototype: stride = 2
            default: continue
            }
            // Members, enumerators and parameters all begin with their names.
            for index in 0..<record.vlen where isOne(record.word(stride * index)) { return false }
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
