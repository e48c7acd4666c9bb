/// Regions in which not everything may be done. Source: docs.ebpf.io, "KFuncs".
extension KfuncRule {
    static let regions: [KfuncRule] = [
        KfuncRule("bpf_rcu_read_lock", [], .rcuLock),
        KfuncRule("bpf_rcu_read_unlock", [], .rcuUnlock),
        KfuncRule("bpf_preempt_disable", [], .preemptDisable),
        KfuncRule("bpf_preempt_enable", [], .preemptEnable),
        KfuncRule("bpf_local_irq_save", [], .irqSave),
        KfuncRule("bpf_local_irq_restore", [], .irqRestore),
        KfuncRule("bpf_res_spin_lock", .retNull, .resilientLock(savesIRQ: false)),
        KfuncRule("bpf_res_spin_unlock", [], .resilientUnlock(restoresIRQ: false)),
        KfuncRule("bpf_res_spin_lock_irqsave", .retNull, .resilientLock(savesIRQ: true)),
        KfuncRule("bpf_res_spin_unlock_irqrestore", [], .resilientUnlock(restoresIRQ: true)),
        KfuncRule("bpf_throw", [], .throwException),
    ]
}
