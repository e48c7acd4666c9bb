extension OpsRuntime {
    /// Gives a world its own copy of the objects behind these maps, and per map a C struct with entries of that copy.
    /// All or nothing. Call it on the world's thread, or before that thread starts.
    ///
    /// - Parameters:
    ///   - world: what kfuncs and helpers of the subsystem find in the block; may be nil. It must outlive the instance.
    ///   - cpus: at least 1.
    ///   - seed: of `bpf_get_prandom_u32` and the maps' hashes.
    ///   - uid: who pays.
    public func instantiate(
        _ mapIDs: [UInt32], world: UnsafeMutableRawPointer?, cpus: Int = 1, seed: UInt64 = 1, uid: UInt32 = 0
    ) throws(OpsError) -> WorldInstance {
        var configuration = Instance.Configuration()
        configuration.cpus = cpus
        configuration.seed = seed
        return try unsafe instantiate(
            mapIDs, world: world, arena: nil, configuration: configuration, uid: uid)
    }

    /// - Parameters:
    ///   - arena: where the BTF objects lie that the world hands to programs.
    ///   - label: what `users` calls the world.
    package func instantiate(
        _ mapIDs: [UInt32], world: UnsafeMutableRawPointer?, arena: Arena?,
        configuration: Instance.Configuration, uid: UInt32 = 0, label: WorldLabel? = nil
    ) throws(OpsError) -> WorldInstance {
        let instance = unsafe WorldInstance(
            core: core, world: world, arena: arena, configuration: configuration, uid: uid, label: label)
        do throws(OpsError) {
            for id in mapIDs { try instance.add(id) }
        } catch {
            instance.close()
            throw error
        }
        return instance
    }
}
