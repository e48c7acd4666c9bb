/// What one request changes in the registry: kept whole or not at all.
package struct RegistryChange: Sendable {
    /// Entries as they are from now on, new or in place of those of the same id.
    package var put: [RegistryEntry]
    package var removed: [UInt32]
    /// Objects that may not be kept yet, by hash.
    package var objects: [String: [UInt8]]
    /// No ids up to these are given out from now on, whatever becomes of the rest.
    package var reserved: (id: UInt32, linkID: UInt32) = (0, 0)

    package init(
        put: [RegistryEntry] = [], removed: [UInt32] = [], objects: [String: [UInt8]] = [:]
    ) {
        self.put = put
        self.removed = removed
        self.objects = objects
    }

    package var isEmpty: Bool { put.isEmpty && removed.isEmpty }
}
