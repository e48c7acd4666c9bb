import Glibc

/// How many descriptors this process may have open.
enum DescriptorLimit {
    /// Raises it to `wanted`, or as far as it goes.
    /// - Returns: what holds then.
    static func raise(to wanted: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        if limit.rlim_cur < wanted {
            var raised = limit
            raised.rlim_cur = min(limit.rlim_max, rlim_t(wanted))
            // In the service this call is filtered out, and the unit's LimitNOFILE= has done it.
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return Int(clamping: limit.rlim_cur)
    }
}
