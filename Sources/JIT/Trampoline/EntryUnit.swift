/// The entries of one instance: C functions, one per struct_ops member that a program implements.
///
/// They hold the addresses of the instance block and of the bodies, so the unit is made with its instance and goes with
/// it, before the `CodeUnit` behind it. Whoever hands out the pointers keeps the unit alive until quiescence.
@safe
package final class EntryUnit: Sendable {
    private let region: ExecutableRegion
    private let starts: [Int]
    private let announcement: CodeAnnouncement?

    /// - Parameters:
    ///   - name: shown in /proc/self/maps and in errors.
    ///   - names: of the entries, for tools (`CodeTools`).
    package init(
        _ requests: [EntryRequest], name: String = "opsd-entries", names: [String] = []
    ) throws(EntryError) {
        var image: [UInt8] = []
        var starts: [Int] = []
        // By index: `for unsafe request in` does not survive swift-format.
        for index in unsafe requests.indices {
            let alignment = unsafe requests[index].needs.contains(.cacheLine) ? CodeUnit.alignment : 16
            let padding = (0 &- image.count) & (alignment - 1)
            image.append(contentsOf: repeatElement(ExecutableRegion.filler, count: padding))
            starts.append(image.count)
            image.append(contentsOf: try unsafe entryCode(requests[index]))
        }
        self.starts = starts
        do {
            region = try ExecutableRegion(code: image, name: name)
        } catch {
            throw .memory(error)
        }
        let ends = starts.dropFirst() + [image.count]
        let symbols = zip(names, zip(starts, ends)).map { name, place in
            CodeSymbol(name: name, offset: place.0, byteCount: place.1 - place.0)
        }
        announcement = unsafe CodeAnnouncement(symbols, code: image, at: UInt(bitPattern: region.base))
    }

    package var entryCount: Int { starts.count }
    /// Bytes of address space, a multiple of the page size.
    package var mappedByteCount: Int { region.byteCount }

    /// The C function of entry `index`, in the order given to `init`.
    package func pointer(_ index: Int) -> UnsafeRawPointer {
        unsafe region.address(at: starts[index])
    }
}

/// The machine code of one entry; position-independent.
package func entryCode(
    _ request: EntryRequest, for architecture: Architecture = .host
) throws(EntryError) -> [UInt8] {
    switch architecture {
    case .x86_64: try unsafe X86Entry(request).generate()
    case .aarch64: try unsafe A64Entry(request).generate()
    }
}
