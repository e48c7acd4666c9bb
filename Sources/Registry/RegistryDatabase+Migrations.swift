import GRDB

extension RegistryDatabase {
    /// The schema, version by version. What has been released is never edited: a change is one more version.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { db in
            try db.create(table: "registration") { table in
                table.primaryKey("id", .integer)
                table.column("name", .text).notNull()
                table.column("variable", .text)
                table.column("kernel_struct_ops", .text).notNull()
                table.column("ops_name", .text).notNull()
                table.column("state", .text).notNull()
                table.column("link_id", .integer).unique()
                table.column("object_sha256", .text).notNull()
                table.column("uid", .integer).notNull()
                table.column("file", .text)
                table.column("failure", .text)
                table.column("quarantined", .boolean).notNull()
                // Of the entry's text: SQLite sees a damaged tree, but not a damaged value.
                table.column("digest", .text).notNull()
            }
            // One row, so that one digest tells whether any of it is damaged.
            try db.create(table: "state") { table in
                table.primaryKey("id", .integer).check { $0 == 0 }
                table.column("generation", .integer).notNull()
                table.column("last_id", .integer).notNull()
                table.column("last_link_id", .integer).notNull()
                table.column("registrations", .integer).notNull()
                table.column("digest", .text).notNull()
            }
        }
        migrator.registerMigration("2") { db in
            // What a daemon was restoring when it, too, was interrupted; `attempts` counts how often.
            try db.create(table: "restoring") { table in
                table.primaryKey("id", .integer)
                table.column("attempts", .integer).notNull()
            }
        }
        return migrator
    }
}
