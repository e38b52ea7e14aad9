/*
 * A plugin for qemu's user-mode emulation: counts the instructions of an arm64 program by class.
 *
 * The program asks for the counts by getpgid(2) of a process that cannot be; they are then one line
 * more in the file that the plugin was given as out=FILE, over all threads.
 */
#include <inttypes.h>
#include <qemu-plugin.h>
#include <stdio.h>
#include <string.h>

#define GETPGID 155
#define NOBODY UINT64_C(0x7eadbeef)

enum { INTEGER, BRANCH, MEMORY, VECTOR_MEMORY, VECTOR, CLASSES };

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct qemu_plugin_scoreboard *counts;
static FILE *out;

static qemu_plugin_u64 entry(int class)
{
    return (qemu_plugin_u64){ counts, class * sizeof(uint64_t) };
}

/* By bits 28 to 25, as the Arm Architecture Reference Manual groups the encodings. */
static int class_of(uint32_t code)
{
    int group = code >> 25 & 15;
    if ((group & 5) == 4) {
        return group & 2 ? VECTOR_MEMORY : MEMORY;
    }
    if ((group & 14) == 10) {
        return BRANCH;
    }
    return (group & 7) == 7 ? VECTOR : INTEGER;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    uint64_t found[CLASSES] = { 0 };
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        uint32_t code = 0;
        qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, i), &code, sizeof(code));
        found[class_of(code)]++;
    }
    for (int class = 0; class < CLASSES; class++) {
        if (found[class]) {
            qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
                block, QEMU_PLUGIN_INLINE_ADD_U64, entry(class), found[class]);
        }
    }
}

static void called(qemu_plugin_id_t id, unsigned int vcpu, int64_t number, uint64_t first,
                   uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7,
                   uint64_t a8)
{
    if (number != GETPGID || first != NOBODY) {
        return;
    }
    for (int class = 0; class < CLASSES; class++) {
        fprintf(out, "%" PRIu64 "%c", qemu_plugin_u64_sum(entry(class)),
                class < CLASSES - 1 ? ' ' : '\n');
    }
    fflush(out);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    if (argc != 1 || strncmp(argv[0], "out=", 4) || !(out = fopen(argv[0] + 4, "a"))) {
        fprintf(stderr, "count: wants out=FILE, to which it can write\n");
        return 1;
    }
    counts = qemu_plugin_scoreboard_new(CLASSES * sizeof(uint64_t));
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
