extension HelperTable {
    /// Helpers that need nothing but the instance: maps, clocks, random numbers, printing, locks, loops.
    package static let base: HelperTable = {
        var table = HelperTable()
        table.registerClocks()
        return table
    }()
}
