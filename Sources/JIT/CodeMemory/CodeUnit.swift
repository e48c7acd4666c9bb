/// The machine code of one object: all its programs in one sealed memory file. The same code serves every instance.
///
/// Whoever hands out pointers into it keeps the unit alive until nobody can be running there (quiescence).
@safe
package final class CodeUnit: Sendable {
    package let name: String
    /// Bytes of code, without what fills the last page.
    package let codeByteCount: Int
    private let region: ExecutableRegion
    private let programs: [Placement]
    private let announcement: CodeAnnouncement?

    private struct Placement {
        var start: Int
        var byteCount: Int
    }

    /// Programs start at multiples of this, a cache line, in which the x86-64 assembler places loops.
    static let alignment = 64

    /// - Parameters:
    ///   - name: shown in /proc/self/maps and in errors.
    ///   - symbols: the functions of each program, for tools (`CodeTools`).
    ///   - hasGuardPages: whoever runs past either end of the code meets no other mapping there.
    package init(
        _ compiled: [CompiledProgram], name: String, symbols: [[CodeSymbol]] = [], hasGuardPages: Bool = false
    ) throws(CodeMemoryError) {
        var image: [UInt8] = []
        var placements: [Placement] = []
        for program in compiled {
            let padding = (0 &- image.count) & (CodeUnit.alignment - 1)
            image.append(contentsOf: repeatElement(ExecutableRegion.filler, count: padding))
            placements.append(Placement(start: image.count, byteCount: program.code.count))
            image.append(contentsOf: program.code)
        }
        self.name = name
        codeByteCount = image.count
        programs = placements
        region = try ExecutableRegion(code: image, name: name, isGuarded: hasGuardPages)
        let placed = zip(symbols, placements).flatMap { symbols, place in
            symbols.map { $0.moved(by: place.start) }
        }
        announcement = unsafe CodeAnnouncement(placed, code: image, at: UInt(bitPattern: region.base))
    }

    package var programCount: Int { programs.count }
    /// Bytes of address space, a multiple of the page size.
    package var mappedByteCount: Int { region.byteCount }

    /// Address of the body of program `index`, in the order given to `init`. See `CompiledProgram` for how it is called.
    package func body(_ index: Int) -> UnsafeRawPointer {
        unsafe region.address(at: programs[index].start)
    }

    /// Address range of program `index`, for symbolising.
    package func addressRange(_ index: Int) -> Range<UInt> {
        let start = unsafe UInt(bitPattern: body(index))
        return start..<start + UInt(programs[index].byteCount)
    }
}
