import CShim
import Glibc

extension HelperTable {
    /// Helpers on maps. Keys and values are the program's memory, proved to have the map's sizes.
    mutating func registerMaps() {
        unsafe register(1, "map_lookup_elem") { map, key, _, _, _, block in
            guard let key = unsafe pointer(key), let cpu = unsafe block?.pointee.cpu else { return 0 }
            return unsafe withMap(map) { unsafe HelperAnswer.address($0.lookupElement(key, cpu: cpu)) } ?? 0
        }
        unsafe register(2, "map_update_elem") { map, key, value, flags, _, block in
            guard let key = unsafe pointer(key), let value = unsafe pointer(value),
                let cpu = unsafe block?.pointee.cpu
            else { return HelperAnswer.error(EINVAL) }
            return unsafe withMap(map) { map in
                guard !map.isReadOnlyForPrograms else { return HelperAnswer.error(EACCES) }
                return unsafe HelperAnswer.status(
                    map.updateElement(key, value: value, flags: flags, cpu: cpu))
            } ?? HelperAnswer.error(EINVAL)
        }
        unsafe register(3, "map_delete_elem") { map, key, _, _, _, _ in
            guard let key = unsafe pointer(key) else { return HelperAnswer.error(EINVAL) }
            return unsafe withMap(map) { map in
                guard !map.isReadOnlyForPrograms else { return HelperAnswer.error(EACCES) }
                return unsafe HelperAnswer.status(map.deleteElement(key))
            } ?? HelperAnswer.error(EINVAL)
        }
        unsafe register(87, "map_push_elem") { map, value, flags, _, _, _ in
            guard let value = unsafe pointer(value) else { return HelperAnswer.error(EINVAL) }
            return unsafe withMap(map) { map in
                guard !map.isReadOnlyForPrograms else { return HelperAnswer.error(EACCES) }
                return unsafe HelperAnswer.status(map.push(value, flags: flags))
            } ?? HelperAnswer.error(EINVAL)
        }
        unsafe register(88, "map_pop_elem") { map, target, _, _, _, _ in
            guard let target = unsafe pointer(target) else { return HelperAnswer.error(EINVAL) }
            return unsafe withMap(map) { map in
                guard !map.isReadOnlyForPrograms else { return HelperAnswer.error(EACCES) }
                return unsafe HelperAnswer.status(map.pop(into: target, removes: true))
            } ?? HelperAnswer.error(EINVAL)
        }
        unsafe register(89, "map_peek_elem") { map, target, _, _, _, _ in
            guard let target = unsafe pointer(target) else { return HelperAnswer.error(EINVAL) }
            return unsafe withMap(map) { map in
                unsafe HelperAnswer.status(map.pop(into: target, removes: false))
            } ?? HelperAnswer.error(EINVAL)
        }
        unsafe register(195, "map_lookup_percpu_elem") { map, key, cpu, _, _, _ in
            guard let key = unsafe pointer(key) else { return 0 }
            // The kernel's prototype has a u32 here.
            let cpu = UInt32(truncatingIfNeeded: cpu)
            return unsafe withMap(map) { map in
                guard Int(cpu) < map.cpus else { return 0 }
                return unsafe HelperAnswer.address(map.lookupElement(key, cpu: cpu))
            } ?? 0
        }
        unsafe register(164, "for_each_map_elem") { map, callback, context, flags, _, block in
            guard let block = unsafe block, callback != 0, flags == 0 else {
                return HelperAnswer.error(EINVAL)
            }
            return unsafe withMap(map) { unsafe forEach($0, map, callback, context, block) }
                ?? HelperAnswer.error(EINVAL)
        }
    }
}

/// Calls `callback(map, key, value, context)` for each element until it returns something else than 0 or fuel is out.
///
/// - Returns: the number of calls, or -EINVAL for a map that cannot be walked.
/// Kernel counterpart: `bpf_for_each_map_elem`.
@unsafe private func forEach(
    _ map: RuntimeMap, _ handle: UInt64, _ callback: UInt64, _ context: UInt64,
    _ block: UnsafeMutablePointer<ops_block>
) -> UInt64 {
    var calls: UInt64 = 0
    // SAFETY: the callback is a thunk of the calling program (proved by the verifier); key and value are live for the
    // call.
    let walked = unsafe map.forEachElement(cpu: block.pointee.cpu) { key, value in
        guard unsafe block.takeFuel() else { return false }
        calls += 1
        return unsafe ops_call_callback(
            callback, handle, UInt64(UInt(bitPattern: key)), UInt64(UInt(bitPattern: value)), context, 0,
            block) == 0
    }
    return walked == nil ? HelperAnswer.error(EINVAL) : calls
}
