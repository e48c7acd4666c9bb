#if DEBUG
    import Glibc

    /// Programs that are compiled and run as if the verifier had accepted them: those whose names begin as
    /// `$OPSD_TEST_UNVERIFIED` says. A test's way to learn what holds when the verifier is wrong; only debug builds have it.
    enum VerifierSwitch {
        private static let variable = "OPSD_TEST_UNVERIFIED"
        /// nil: every program is verified.
        private static let prefix: String? = {
            guard let value = unsafe getenv(variable), unsafe value.pointee != 0 else { return nil }
            return unsafe String(cString: value)
        }()

        /// Says so on standard error whenever it is.
        static func isOff(for program: String) -> Bool {
            guard let prefix, program.hasPrefix(prefix) else { return false }
            let line = Array("opsd: \(variable): program '\(program)' is NOT verified\n".utf8)
            _ = unsafe write(STDERR_FILENO, line, line.count)
            return true
        }
    }
#endif
