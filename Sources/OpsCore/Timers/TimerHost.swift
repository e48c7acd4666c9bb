/// Who keeps the simulated time of a world and so can fire the timers of its programs.
///
/// An instance without one refuses to start timers (-EOPNOTSUPP): under `prog run`, and in a host that calls ops through
/// `kdata`, no time passes between ops. So a program that depends on a timer learns that none will fire.
package protocol TimerHost: AnyObject {
    /// The first timer of `instance` is now due at `ktime`, in nanoseconds of its block's clock. Its host sets the clocks
    /// then and calls `fireTimers`, outside of any op. A later call may name an earlier time; earlier calls stay good.
    func schedule(_ instance: Instance, at ktime: UInt64)
}
