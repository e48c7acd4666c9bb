#if DEBUG
    import CShim
    import ControlAPI
    import Glibc

    /// Enters the runtime's sandbox and tries, as code that has broken out of a program would, what it must not be able to
    /// do; then what it must. One line for each: its name, and `ok` or the errno's text. In debug builds only.
    enum SandboxProbe {
        /// - Parameter daemonSocket: of a daemon, where it tries to register.
        static func run(daemonSocket: String) throws {
            let broker = getppid()
            try RuntimeSandbox.enter()
            tell("open a file", open("/etc/passwd", O_RDONLY))
            tell("make a file", open("/tmp/opsd-probe", O_WRONLY | O_CREAT, 0o600))
            tell("remove a file", unlink(daemonSocket))
            tell("make a socket", socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0))
            tell("make a network socket", socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0))
            tell("signal the broker", kill(broker, 0))
            tell("start a program", execute())
            tell("become another process", ops_fork())
            tell("register", register(daemonSocket))
            tell("attach to the broker", ops_attach(broker))
            tell("allow more descriptors", raiseLimit())

            tell("get memory for code", memory())
            tell("start a thread", thread())
        }

        private static func tell(_ what: String, _ result: CInt) {
            let outcome = result < 0 ? String(cString: strerror(errno)) : "ok"
            say("\(what): \(outcome)", to: STDOUT_FILENO)
        }

        private static func execute() -> CInt {
            var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
            defer { free(arguments[0]) }
            return execv("/bin/true", &arguments)
        }

        private static func register(_ path: String) -> CInt {
            do throws(ClientError) {
                _ = try Client(path: path)
                return 0
            } catch {
                return -1
            }
        }

        private static func raiseLimit() -> CInt {
            var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
            return setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }

        private static func memory() -> CInt {
            let file = ops_memfd_create("opsd:probe", 1)  // MFD_CLOEXEC
            guard file >= 0, ftruncate(file, 4096) == 0 else { return -1 }
            defer { close(file) }
            let base = mmap(nil, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0)
            return base == MAP_FAILED ? -1 : 0
        }

        private static func thread() -> CInt {
            var thread = pthread_t()
            let code = pthread_create(&thread, nil, { _ in nil }, nil)
            guard code == 0 else {
                errno = code
                return -1
            }
            return pthread_join(thread, nil) == 0 ? 0 : -1
        }
    }
#endif
