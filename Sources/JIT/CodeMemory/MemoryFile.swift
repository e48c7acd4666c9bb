import CShim
import Glibc

/// The memory file behind one `ExecutableRegion` while it is being made. Closed at the end of its scope.
///
/// The order of calls is the safety argument: all bytes are written through the descriptor, then every way to write is
/// sealed, and only then is there a mapping, which is never writable.
struct MemoryFile: ~Copyable {
    private let descriptor: CInt
    private let name: String
    private let byteCount: Int

    /// - Parameter name: shown as `/memfd:name` in /proc/self/maps.
    init(name: String, byteCount: Int) throws(CodeMemoryError) {
        let closeOnExec: CUnsignedInt = 0x1, allowSealing: CUnsignedInt = 0x2, noExecSeal: CUnsignedInt = 0x8
        // SAFETY: the string is a C string for the length of the call.
        func create(_ flags: CUnsignedInt) -> CInt { attempt { unsafe ops_memfd_create(name, flags) } }

        // Never MFD_EXEC: mapping it executable needs no x bit, and vm.memfd_noexec = 2 refuses that flag.
        var created = create(closeOnExec | noExecSeal)
        // Before Linux 6.3 MFD_NOEXEC_SEAL is an unknown flag; it implies MFD_ALLOW_SEALING.
        if created < 0, errno == EINVAL { created = create(closeOnExec | allowSealing) }
        guard created >= 0 else {
            throw CodeMemoryError(step: .create, errno: errno, name: name, byteCount: byteCount)
        }
        self.descriptor = created
        self.name = name
        self.byteCount = byteCount
    }

    deinit { close(descriptor) }

    /// Gives the file its size.
    mutating func resize() throws(CodeMemoryError) {
        let descriptor = descriptor, byteCount = byteCount
        guard attempt({ ftruncate(descriptor, byteCount) }) == 0 else { throw failure(.resize) }
    }

    /// Writes `code` from the start and `filler` to the end of the file.
    mutating func write(_ code: [UInt8], filler: UInt8) throws(CodeMemoryError) {
        precondition(code.count <= byteCount)
        let image = code + [UInt8](repeating: filler, count: byteCount - code.count)
        var done = 0
        while done < image.count {
            let descriptor = descriptor
            // SAFETY: `done` is below the count, and the buffer outlives the call.
            let written = unsafe image.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
                return attempt { unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(done)) }
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw failure(.write) }
            done += written
        }
    }

    /// Forbids writing, growing, shrinking and taking the seals off, for every descriptor and mapping there will be.
    mutating func seal() throws(CodeMemoryError) {
        let descriptor = descriptor
        guard attempt({ ops_seal_write(descriptor) }) == 0 else { throw failure(.seal) }
    }

    /// Maps the whole file shared, readable and executable.
    func mapExecutable() throws(CodeMemoryError) -> UnsafeRawPointer {
        if let address = unsafe map(descriptor) { return unsafe address }
        // Kernels before about 6.7 count a shared mapping of a writable descriptor as writable; one opened for reading
        // is not.
        guard errno == EPERM else { throw failure(.map) }
        let path = "/proc/self/fd/\(descriptor)"
        let readOnly = attempt { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        guard readOnly >= 0 else { throw failure(.reopen) }
        defer { close(readOnly) }
        guard let address = unsafe map(readOnly) else { throw failure(.map) }
        return unsafe address
    }

    private func map(_ descriptor: CInt) -> UnsafeRawPointer? {
        if let injected = CodeMemoryFaults.next() {
            errno = injected
            return nil
        }
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let address = unsafe mmap(nil, byteCount, PROT_READ | PROT_EXEC, MAP_SHARED, descriptor, 0)
        return unsafe address == MAP_FAILED ? nil : UnsafeRawPointer(address)
    }

    /// For tests of the seals.
    var descriptorForTesting: CInt { descriptor }

    /// Reads errno, so it comes right after the call that failed.
    private func failure(_ step: CodeMemoryError.Step) -> CodeMemoryError {
        CodeMemoryError(step: step, errno: errno, name: name, byteCount: byteCount)
    }
}

/// Makes a system call, unless a test wants it to fail.
private func attempt<Result: SignedInteger>(_ call: () -> Result) -> Result {
    if let injected = CodeMemoryFaults.next() {
        errno = injected
        return -1
    }
    return call()
}
