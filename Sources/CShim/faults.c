#include "CShim.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};
// Whoever handled them before: nobody, a sanitizer, Swift's backtraces.
static struct sigaction before[NSIG];
static int record = -1;
// In the executable itself, so that a handler may read it at any moment.
static __thread int64_t request __attribute__((tls_model("initial-exec")));

// All that is called in here is allowed in a handler.
static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    int64_t work = request;
    int is_fault = info->si_code > 0;
    // What somebody else sent says nothing about this thread.
    if ((is_fault || (info->si_code == SI_TKILL && info->si_pid == getpid())) && work)
        (void)!write(record, &work, sizeof work);
    sigaction(signal, &before[signal], 0);
    // A fault of an instruction comes again when we return to it.
    int comes_again = is_fault && signal != SIGTRAP && signal != SIGSYS && signal != SIGABRT;
    if (!comes_again) raise(signal);
}

void ops_record_faults(int fd) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    record = fd;
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, &before[signals[i]]);
}

void ops_work_on(int64_t work) { request = work; }

int64_t ops_work(void) { return request; }
