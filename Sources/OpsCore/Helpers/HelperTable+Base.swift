extension HelperTable {
    /// Helpers and kfuncs that need nothing but the instance: maps, clocks, random numbers, printing, locks, loops.
    package static let base: HelperTable = {
        var table = HelperTable()
        table.registerClocks()
        table.registerMaps()
        table.registerRingBuffers()
        table.registerDynptrs()
        table.registerTimers()
        table.registerNumbers()
        table.registerStorage()
        table.registerLoops()
        table.registerMemory()
        table.registerPrinting()
        return table
    }()
}
