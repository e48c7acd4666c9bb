import Glibc

/// Names of users and groups as numbers; nil: there is no such one.
///
/// On the thread that reads the configuration only: these functions of the C library share one buffer.
enum UserDatabase {
    static func uid(_ text: String) -> UInt32? { UInt32(text) ?? getpwnam(text)?.pointee.pw_uid }
    static func gid(_ text: String) -> UInt32? { UInt32(text) ?? getgrnam(text)?.pointee.gr_gid }
}
