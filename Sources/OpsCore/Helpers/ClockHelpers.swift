import CShim

extension HelperTable {
    /// Time, randomness and CPU of the world, all from the block: nothing here asks the machine.
    mutating func registerClocks() {
        unsafe register(5, "ktime_get_ns") { _, _, _, _, _, block in unsafe block?.pointee.ktime_ns ?? 0 }
        // A world never suspends, so boot time and TAI run with the monotonic clock.
        unsafe register(125, "ktime_get_boot_ns") { _, _, _, _, _, block in
            unsafe block?.pointee.ktime_ns ?? 0
        }
        unsafe register(208, "ktime_get_tai_ns") { _, _, _, _, _, block in unsafe block?.pointee.ktime_ns ?? 0
        }
        unsafe register(160, "ktime_get_coarse_ns") { _, _, _, _, _, block in
            unsafe block?.pointee.ktime_coarse_ns ?? 0
        }
        unsafe register(118, "jiffies64") { _, _, _, _, _, block in unsafe block?.pointee.jiffies64 ?? 0 }
        unsafe register(8, "get_smp_processor_id") { _, _, _, _, _, block in
            UInt64(unsafe block?.pointee.cpu ?? 0)
        }
        unsafe register(42, "get_numa_node_id") { _, _, _, _, _, _ in 0 }
        unsafe register(7, "get_prandom_u32") { _, _, _, _, _, block in
            guard let block = unsafe block else { return 0 }
            // SAFETY: helpers get the block of the running instance.
            return unsafe UInt64(SplitMix64.next(&block.pointee.prandom_state) >> 32)
        }
    }
}

/// The generator of all random streams that programs see. Source: Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", OOPSLA 2014.
package enum SplitMix64 {
    @inlinable package static func next(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
