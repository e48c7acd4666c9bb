import CShim
import Glibc

/// How helpers read their arguments and write their answers.
enum HelperAnswer {
    /// `-code`, as a helper returns an errno.
    @inline(__always) static func error(_ code: CInt) -> UInt64 { UInt64(bitPattern: -Int64(code)) }

    /// 0, or `-code` for an errno.
    @inline(__always) static func status(_ code: CInt) -> UInt64 { code == 0 ? 0 : error(code) }

    /// A pointer or NULL.
    @inline(__always) static func address(_ pointer: UnsafeMutableRawPointer?) -> UInt64 {
        UInt64(UInt(bitPattern: pointer))
    }
}

/// The pointer that an argument is; nil for NULL.
///
/// SAFETY, here and wherever the result is used: the verifier has proved of every pointer argument what memory it is
/// good for; only NULL and sizes are left to check.
@inline(__always) @unsafe func pointer(_ argument: UInt64) -> UnsafeMutableRawPointer? {
    unsafe UnsafeMutableRawPointer(bitPattern: UInt(argument))
}

/// Calls `body` with the map whose handle a program passed; nil for NULL.
///
/// Without reference counting: the instance keeps its maps alive while its programs run.
@inline(__always) @unsafe func withMap<Answer>(_ handle: UInt64, _ body: (RuntimeMap) -> Answer) -> Answer? {
    guard let opaque = unsafe UnsafeRawPointer(bitPattern: UInt(handle)) else { return nil }
    // SAFETY: handles are written by `MapFactory` alone, and the verifier lets programs pass nothing else as a map.
    return unsafe Unmanaged<RuntimeMap>.fromOpaque(opaque)._withUnsafeGuaranteedRef(body)
}

extension UnsafeMutablePointer<ops_block> {
    /// Takes one turn's fuel; false: there is none left and the loop must end.
    @inline(__always) func takeFuel() -> Bool {
        // SAFETY: the block of the running instance.
        guard unsafe pointee.fuel != 0 else { return false }
        unsafe pointee.fuel -= 1
        return true
    }
}
