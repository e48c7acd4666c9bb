import FuzzBodies

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzBTF(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = [UInt8](UnsafeBufferPointer(start: start, count: count))
    checkBTFInput(bytes)
    return 0
}
