package import ControlAPI

extension RegistryStore {
    /// Reads every file again and compares it with what is registered.
    package func verify() -> RegistryVerification {
        var result = RegistryVerification(durable: true, registrations: book.count, objects: objects.count)
        result.foundAtStart = report.findings
        result.lost = report.hasLost
        result.readOnly = database == nil ? report.readOnlyReason ?? "the last commit failed" : nil
        if let database {
            do throws(RegistryDatabase.Failure) {
                let content = try database.load()
                if content.entries != book.sorted || content.generation != generation {
                    result.problems.append("the database differs from what is registered")
                }
            } catch {
                result.problems.append("the database: \(error.refusal.reason ?? "\(error)")")
            }
        }
        for sha256 in book.objects.sorted() {
            do throws(Refusal) { _ = try object(sha256) } catch {
                result.problems.append("object \(sha256): \(error.reason ?? error.text)")
            }
            let name = Manifest.fileName(of: sha256)
            let manifest = Manifest(parsing: (try? folder.read(name)) ?? [])
            if manifest?.entries != book.entries(ofObject: sha256) {
                result.problems.append(
                    manifest == nil
                        ? "manifest '\(name)' cannot be read"
                        : "manifest '\(name)' differs from what is registered")
            }
        }
        return result
    }
}
