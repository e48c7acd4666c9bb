/// Why machine code could not be put where it may run.
package struct CodeMemoryError: Error, Equatable, CustomStringConvertible {
    /// The system call that failed, in the order of a publication.
    package enum Step: String, Sendable {
        case create = "memfd_create"
        case resize = "ftruncate"
        case write = "pwrite"
        case seal = "fcntl(F_ADD_SEALS)"
        case map = "mmap"
        case reopen = "open(/proc/self/fd)"
    }
    package var step: Step
    /// ENOMEM, EMFILE, ENFILE, or EPERM under a sandbox that forbids executable mappings.
    package var errno: CInt
    /// Name of the unit, for messages.
    package var name: String
    package var byteCount: Int

    package init(step: Step, errno: CInt, name: String, byteCount: Int) {
        self.step = step
        self.errno = errno
        self.name = name
        self.byteCount = byteCount
    }

    package var description: String {
        "code memory '\(name)' of \(byteCount) bytes: \(step.rawValue): errno \(errno)"
    }
}
