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

    /// Maps the whole file shared, readable and executable, with so many bytes on either side that nobody can access.
    func mapExecutable(guardByteCount: Int = 0) throws(CodeMemoryError) -> UnsafeRawPointer {
        guard guardByteCount > 0 else { return unsafe try mapExecutable(at: nil) }
        let total = byteCount + 2 * guardByteCount
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let reserved = unsafe mmap(nil, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard unsafe reserved != MAP_FAILED, let start = unsafe reserved else { throw failure(.map) }
        do {
            return unsafe try mapExecutable(at: start + guardByteCount)
        } catch {
            unsafe munmap(start, total)
            throw error
        }
    }

    /// - Parameter address: inside a mapping of the caller's that it may replace; nil: anywhere.
    private func mapExecutable(at address: UnsafeMutableRawPointer?) throws(CodeMemoryError)
        -> UnsafeRawPointer
    {
        if let mapped = unsafe map(descriptor, at: address) { return unsafe mapped }
        // Kernels before about 6.7 count a shared mapping of a writable descriptor as writable; one opened for reading
        // is not.
        guard errno == EPERM else { throw failure(.map) }
        let path = "/proc/self/fd/\(descriptor)"
        let readOnly = attempt { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        guard readOnly >= 0 else { throw failure(.reopen) }
        defer { close(readOnly) }
        guard let mapped = unsafe map(readOnly, at: address) else { throw failure(.map) }
        return unsafe mapped
    }

    private func map(_ descriptor: CInt, at address: UnsafeMutableRawPointer?) -> UnsafeRawPointer? {
        if let injected = CodeMemoryFaults.next() {
            errno = injected
            return nil
        }
        let fixed = unsafe address == nil ? 0 : MAP_FIXED
        // SAFETY: at an address of the kernel's choice it touches nothing that exists; a given one is the caller's.
        let mapped = unsafe mmap(address, byteCount, PROT_READ | PROT_EXEC, MAP_SHARED | fixed, descriptor, 0)
        return unsafe mapped == MAP_FAILED ? nil : UnsafeRawPointer(mapped)
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
