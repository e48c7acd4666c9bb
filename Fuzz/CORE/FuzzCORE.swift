import FuzzBodies

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCORE(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
    checkCOREInput(bytes)
    return 0
}
