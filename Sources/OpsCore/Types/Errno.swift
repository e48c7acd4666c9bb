import Glibc

/// The kernel's numbers by name, so that callers and tests need no C library.
extension OpsError {
    public static let eperm: CInt = EPERM
    public static let enoent: CInt = ENOENT
    public static let e2big: CInt = E2BIG
    public static let ebadf: CInt = EBADF
    public static let enomem: CInt = ENOMEM
    public static let eacces: CInt = EACCES
    public static let efault: CInt = EFAULT
    public static let ebusy: CInt = EBUSY
    public static let eexist: CInt = EEXIST
    public static let einval: CInt = EINVAL
    public static let enolink: CInt = ENOLINK
    public static let eopnotsupp: CInt = EOPNOTSUPP
    public static let einprogress: CInt = EINPROGRESS
    public static let esrch: CInt = ESRCH
    public static let enosys: CInt = ENOSYS
    public static let enospc: CInt = ENOSPC
    public static let edquot: CInt = EDQUOT
    public static let ecanceled: CInt = ECANCELED
}
