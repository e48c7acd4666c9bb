import Verifier

/// Values of per-CPU maps as user space sees them: one for each CPU, each padded to 8 bytes.
extension RuntimeMap {
    /// - Parameter element: the value of one CPU, `valueStride` bytes.
    @unsafe final func copyOutAllCPUs(_ element: (_ cpu: Int) -> UnsafeMutableRawPointer) -> [UInt8] {
        let stride = description.valueStride
        var all: [UInt8] = []
        all.reserveCapacity(stride * cpus)
        for cpu in 0..<cpus {
            // SAFETY: one value with its padding.
            unsafe all += UnsafeRawBufferPointer(start: element(cpu), count: stride)
            special.zero(in: &all, from: cpu * stride)
        }
        return all
    }

    /// - Precondition: `values` has `cpus * valueStride` bytes.
    @unsafe final func copyInAllCPUs(_ values: [UInt8], _ element: (_ cpu: Int) -> UnsafeMutableRawPointer) {
        let stride = description.valueStride
        unsafe values.withUnsafeBytes { bytes in
            guard let source = bytes.baseAddress, bytes.count == cpus * stride else { return }
            for cpu in 0..<cpus {
                // SAFETY: both have valueSize bytes.
                unsafe special.copyData(
                    from: source + cpu * stride, to: element(cpu), count: description.valueSize)
            }
        }
    }
}
