/// Where a field is found, and how to load it: what the six field relocations are computed from.
struct COREFieldPlace: Equatable {
    var type: TypeID
    var bitOffset: Int
    /// 0 unless a bit field.
    var bitFieldSize: Int
    /// The last step was an array index rather than a member.
    var isElement: Bool

    /// Bytes to load and where. For a bit field this is the smallest aligned unit, from its declared size up, that
    /// holds all of its bits.
    ///
    /// - Returns: nil if the type has no size, or if no 8-byte unit holds the bit field.
    func load(in btf: BTF) -> (byteOffset: Int, byteCount: Int, bitCount: Int)? {
        guard var byteCount = btf.byteCount(of: type) else { return nil }
        guard bitFieldSize > 0 else { return (bitOffset / 8, byteCount, 8 * byteCount) }
        guard byteCount > 0 else { return nil }
        while true {
            let byteOffset = bitOffset / 8 / byteCount * byteCount
            if bitOffset + bitFieldSize <= 8 * (byteOffset + byteCount) {
                return (byteOffset, byteCount, bitFieldSize)
            }
            guard byteCount < 8 else { return nil }
            byteCount *= 2
        }
    }
}

extension COREAccess {
    /// Where the program thinks the field is.
    var localPlace: COREFieldPlace {
        guard case .member(_, _, let bitFieldSize) = steps.last else {
            return COREFieldPlace(type: type, bitOffset: bitOffset, bitFieldSize: 0, isElement: true)
        }
        return COREFieldPlace(type: type, bitOffset: bitOffset, bitFieldSize: bitFieldSize, isElement: false)
    }
}

extension CORECompatibility {
    enum Place {
        case found(COREFieldPlace)
        case missing(reason: String?)
    }

    /// Follows the steps of a local access through a target type: members by name, elements by index.
    func place(of access: COREAccess, in candidate: TypeID) -> Place {
        var place = COREFieldPlace(type: candidate, bitOffset: 0, bitFieldSize: 0, isElement: true)
        for (index, step) in access.steps.enumerated() {
            switch step {
            case .element(let number):
                if index > 0 {
                    guard case .array(let array) = target.resolved(place.type) else {
                        return .missing(reason: "no array there")
                    }
                    guard number < array.count || array.count == 0 else {
                        return .missing(reason: "the array has \(array.count) elements there")
                    }
                    place.type = array.element
                }
                guard let size = target.byteCount(of: place.type), advance(&place, by: size, times: number)
                else {
                    return .missing(reason: nil)
                }
                place.isElement = true
                place.bitFieldSize = 0
            case .member(let name, let localType, _):
                guard let field = target.field(named: name, in: place.type) else {
                    return .missing(reason: nil)
                }
                guard fieldsAreCompatible(localType, field.type) else {
                    let types = "'\(target.name(of: field.type))' there, '\(local.name(of: localType))' here"
                    return .missing(reason: "it is " + types)
                }
                place.bitOffset += field.bitOffset
                place.bitFieldSize = field.bitFieldSize
                place.type = field.type
                place.isElement = false
            }
        }
        return .found(place)
    }

    /// false if the offset leaves what an instruction can hold.
    private func advance(_ place: inout COREFieldPlace, by size: Int, times count: Int) -> Bool {
        let (bytes, overflow) = size.multipliedReportingOverflow(by: count)
        guard !overflow, bytes <= Int(Int32.max), place.bitOffset / 8 <= Int(Int32.max) else { return false }
        place.bitOffset += 8 * bytes
        return true
    }
}
