/* The running kernel as judge of BPF programs.
 *
 *     judge [--repeat N] OBJECT...
 *
 * Loads every program of each object alone (the others stay unloaded, so that one refusal says nothing of the rest) and
 * prints one JSON document per program and line:
 *
 *     {"object": path, "program": function name, "section": name,
 *      "verdict": "accept" | "reject" | "error",
 *      "btf": whether the kernel took the object's BTF; libbpf goes on without it where it is not needed,
 *      "errno": 0 or what bpf(2) answered, "insns": instructions of the loaded image (0 if not accepted),
 *      "processed": instructions that the kernel's verifier processed, "verify_us": its own "verification time",
 *      "log": [last lines of the verifier's log]}
 *
 * "error" means that the program never reached the verifier: libbpf could not prepare it, a map could not be created;
 * the log then holds libbpf's last words. With --repeat every accepted program is loaded N times and the shortest time
 * counts. Exit code 3: bpf(2) is not permitted here; 2: wrong usage; 1: an object does not open; 0 otherwise.
 *
 * An accepted program is judged with statistics only (BPF_LOG_STATS), because printing every instruction would be part
 * of the time that the kernel reports; only a refused one is loaded again for its log.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* BPF_LOG_LEVEL1 and BPF_LOG_STATS of the kernel's include/linux/bpf_verifier.h. */
#define LOG_INSNS 1
#define LOG_STATS 4

#define LOG_BYTES (16u << 20)
#define LOG_LINES 24

static char *verifier_log;
static char library_log[2048];

struct verdict {
    const char *name;
    int error;
    bool hasBTF;
    size_t insns;
    unsigned long processed, microseconds;
};

/* libbpf's warnings, the last ones: what explains a program that never reached the kernel. */
static int keep_warning(enum libbpf_print_level level, const char *format, va_list arguments)
{
    char line[1024];

    if (level != LIBBPF_WARN)
        return 0;
    vsnprintf(line, sizeof(line), format, arguments);
    /* The verifier's log comes separately. */
    if (strstr(line, "BEGIN PROG LOAD LOG"))
        return 0;
    if (strlen(library_log) + strlen(line) >= sizeof(library_log))
        library_log[0] = 0;
    strcat(library_log, line);
    return 0;
}

static void print_string(const char *text, size_t length)
{
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = text[i];
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

/* The last lines of `text`, as the inside of a JSON array. */
static void print_tail(const char *text, int lines)
{
    const char *end = text + strlen(text), *start = end;
    bool isFirst = true;

    while (start > text) {
        if (start[-1] == '\n' && start != end && --lines == 0)
            break;
        start--;
    }
    while (start < end) {
        const char *stop = memchr(start, '\n', end - start);
        size_t length = (stop ? stop : end) - start;
        if (length) {
            printf(isFirst ? "" : ", ");
            print_string(start, length);
            isFirst = false;
        }
        start += length + 1;
    }
}

/* The number after the last `label` in the log; 0 if there is none. */
static unsigned long number_after(const char *label)
{
    unsigned long value = 0;

    for (const char *at = verifier_log; (at = strstr(at, label)); at += strlen(label))
        value = strtoul(at + strlen(label), NULL, 10);
    return value;
}

/* One load of one program; the log is left in `verifier_log`. */
static struct verdict load(const char *path, const char *program, int level)
{
    struct verdict verdict = {.name = "error"};
    struct bpf_object *object = bpf_object__open_file(path, NULL);
    struct bpf_program *each, *wanted = NULL;

    verifier_log[0] = library_log[0] = 0;
    if (!object) {
        verdict.error = errno;
        return verdict;
    }
    bpf_object__for_each_program(each, object) {
        bool isWanted = strcmp(bpf_program__name(each), program) == 0;
        bpf_program__set_autoload(each, isWanted);
        if (isWanted)
            wanted = each;
    }
    if (wanted) {
        bpf_program__set_log_level(wanted, level);
        bpf_program__set_log_buf(wanted, verifier_log, LOG_BYTES);
        verdict.error = -bpf_object__load(object);
        if (!verdict.error) {
            verdict.name = "accept";
            verdict.insns = bpf_program__insn_cnt(wanted);
        } else if (verifier_log[0]) {
            verdict.name = "reject";
        }
        verdict.hasBTF = bpf_object__btf_fd(object) >= 0;
        verdict.processed = number_after("processed ");
        verdict.microseconds = number_after("verification time ");
    }
    bpf_object__close(object);
    return verdict;
}

static struct verdict judge(const char *path, const char *program, int repeat)
{
    struct verdict verdict = load(path, program, LOG_STATS);

    if (verdict.error) {
        /* A refusal for the shape of the program alone leaves no statistics: only this log tells it from an error. */
        return load(path, program, LOG_INSNS | LOG_STATS);
    }
    for (int i = 1; i < repeat; i++) {
        struct verdict again = load(path, program, LOG_STATS);
        if (!again.error && again.microseconds < verdict.microseconds)
            verdict.microseconds = again.microseconds;
    }
    return verdict;
}

static int judge_object(const char *path, int repeat)
{
    struct bpf_object *object = bpf_object__open_file(path, NULL);
    struct bpf_program *program;

    if (!object) {
        fprintf(stderr, "judge: %s: %s\n%s", path, strerror(errno), library_log);
        return 1;
    }
    bpf_object__for_each_program(program, object) {
        const char *name = bpf_program__name(program), *section = bpf_program__section_name(program);
        struct verdict verdict = judge(path, name, repeat);

        printf("{\"object\": ");
        print_string(path, strlen(path));
        printf(", \"program\": ");
        print_string(name, strlen(name));
        printf(", \"section\": ");
        print_string(section, strlen(section));
        printf(", \"verdict\": \"%s\", \"btf\": %s, \"errno\": %d, \"insns\": %zu, \"processed\": %lu, ", verdict.name,
               verdict.hasBTF ? "true" : "false", verdict.error, verdict.insns, verdict.processed);
        printf("\"verify_us\": %lu, \"log\": [", verdict.microseconds);
        print_tail(verifier_log[0] ? verifier_log : library_log, LOG_LINES);
        printf("]}\n");
        fflush(stdout);
    }
    bpf_object__close(object);
    return 0;
}

int main(int count, char **arguments)
{
    const struct bpf_insn smallest[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K}, /* r0 = 0 */
        {.code = BPF_JMP | BPF_EXIT},
    };
    const enum bpf_prog_type privileged[] = {BPF_PROG_TYPE_TRACEPOINT, BPF_PROG_TYPE_XDP};
    int first = 1, repeat = 1, result = 0;

    if (count > 3 && strcmp(arguments[1], "--repeat") == 0) {
        repeat = atoi(arguments[2]);
        first = 3;
    }
    if (first >= count || repeat < 1) {
        fprintf(stderr, "usage: judge [--repeat N] OBJECT...\n");
        return 2;
    }
    libbpf_set_print(keep_warning);
    /* Where anybody may load socket filters, and under CAP_BPF alone, the verifier is stricter: only these types tell. */
    for (size_t i = 0; i < sizeof(privileged) / sizeof(*privileged); i++) {
        int program = bpf_prog_load(privileged[i], NULL, "GPL", smallest, 2, NULL);
        if (program < 0) {
            fprintf(stderr, "judge: bpf(2): %s\n", strerror(errno));
            return 3;
        }
        close(program);
    }
    verifier_log = calloc(LOG_BYTES, 1);
    if (!verifier_log)
        return 1;
    for (int i = first; i < count; i++)
        result |= judge_object(arguments[i], repeat);
    return result;
}
