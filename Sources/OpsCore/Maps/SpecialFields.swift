package import BPF
package import Verifier

/// The parts of a map value that belong to the machinery and not to data: a spin lock, a timer, list heads.
///
/// Copies into a map leave them as they are; copies out of a map show zeros. Kernel counterpart: `struct btf_record`,
/// `copy_map_value`, `check_and_init_map_value`.
package struct SpecialFields: Equatable, Sendable {
    /// Byte ranges inside the value: ascending, disjoint, inside the value.
    package var ranges: [Range<Int>] = []
    /// Offset of the `struct bpf_spin_lock`.
    package var spinLockOffset: Int?
    /// Offset of the `struct bpf_timer`.
    package var timerOffset: Int?

    /// The first field of a kind that nothing here gives life to: `kptr`, `bpf_list_head` …
    package var unbuilt: String?
    /// The first field that is not of the size that its functions write, which only hostile BTF declares.
    package var malformed: String?

    package init() {}

    /// Struct types that the kernel finds by name. Source: include/uapi/linux/bpf.h.
    private static let names: Set<String> = [
        "bpf_spin_lock", "bpf_timer", "bpf_wq", "bpf_list_head", "bpf_list_node", "bpf_rb_root",
        "bpf_rb_node", "bpf_refcount", "bpf_res_spin_lock", "bpf_task_work",
    ]
    /// Those that run, with their sizes.
    private static let sizes = ["bpf_spin_lock": 4, "bpf_timer": 16]
    /// Type tags that make a pointer one to a kept object.
    private static let kptrTags: Set<String> = ["kptr", "kptr_untrusted", "percpu_kptr", "uptr"]
    /// More fields than any real value has.
    private static let rangesMax = 64
    /// Members looked at, all together: nested arrays of structs multiply.
    private static let visitsMax = 4096

    /// - Parameter btf: that which `map.valueType` refers to.
    package init(of map: MapDescription, in btf: BTF?) {
        guard let btf, let valueType = map.valueType else { return }
        var visits = 0
        collect(valueType, at: 0, in: btf, &visits)
        ranges.sort { $0.lowerBound < $1.lowerBound }
        // Hostile BTF may overlap its members or let them stick out.
        var end = 0
        ranges.removeAll { range in
            guard range.lowerBound >= end, range.upperBound <= map.valueSize else { return true }
            end = range.upperBound
            return false
        }
        let kept = Set(ranges.map(\.lowerBound))
        spinLockOffset = spinLockOffset.flatMap { kept.contains($0) ? $0 : nil }
        timerOffset = timerOffset.flatMap { kept.contains($0) && $0 + 16 <= map.valueSize ? $0 : nil }
    }

    private mutating func collect(_ id: TypeID, at offset: Int, in btf: BTF, _ visits: inout Int) {
        visits += 1
        guard ranges.count < Self.rangesMax, visits < Self.visitsMax, offset >= 0, offset < 1 << 32 else {
            return
        }
        switch btf.resolved(id) {
        case .composite(let type) where Self.names.contains(type.name):
            ranges.append(offset..<offset + min(max(0, type.byteCount), 1 << 16))
            if let size = Self.sizes[type.name] {
                if type.byteCount != size { malformed = malformed ?? type.name }
            } else {
                unbuilt = unbuilt ?? type.name
            }
            if type.name == "bpf_spin_lock", spinLockOffset == nil { spinLockOffset = offset }
            if type.name == "bpf_timer", timerOffset == nil { timerOffset = offset }
        case .composite(let type):
            for member in type.members {
                collect(member.type, at: offset &+ member.byteOffset, in: btf, &visits)
            }
        case .array(let array):
            switch btf.resolved(array.element) {
            case .composite, .pointer: break
            default: return
            }
            guard let size = btf.byteCount(of: array.element) else { return }
            for index in 0..<min(array.count, Self.rangesMax) {
                collect(array.element, at: offset &+ index &* size, in: btf, &visits)
            }
        case .dataSection(let section):
            for entry in section.entries {
                collect(entry.variable, at: offset &+ entry.offset, in: btf, &visits)
            }
        case .pointer(let target):
            guard case .typeTag(let tag, _) = btf[target], Self.kptrTags.contains(tag) else { return }
            ranges.append(offset..<offset + 8)
            unbuilt = unbuilt ?? "kptr"
        case .variable(let variable): collect(variable.type, at: offset, in: btf, &visits)
        default: break
        }
    }

    /// Copies `count` bytes of data, leaving the special fields of `target` alone.
    ///
    /// - Precondition: both pointers are good for `count` bytes, which is at least the value size they were made for.
    @unsafe func copyData(from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int) {
        var at = 0
        for range in ranges {
            // SAFETY: ranges are ascending and inside the value, so at ... lowerBound lies in both buffers. Source and
            // target may be the same element (a program may update a key with the value it looked up): memmove.
            unsafe (target + at).copyMemory(from: source + at, byteCount: range.lowerBound - at)
            at = range.upperBound
        }
        // SAFETY: as above.
        unsafe (target + at).copyMemory(from: source + at, byteCount: count - at)
    }

    /// Zeroes the special fields of a copy that leaves the map. `copy` holds one value from `start` on.
    func zero(in copy: inout [UInt8], from start: Int = 0) {
        for range in ranges {
            for index in range where start + index < copy.count { copy[start + index] = 0 }
        }
    }
}
