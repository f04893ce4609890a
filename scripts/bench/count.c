/* Counts the guest's instructions: a TCG plugin for qemu-user, used by scripts/bench/arm.py.
 *
 * Declares the few functions of QEMU's plugin interface that it needs, as Debian packages no header for them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifndef INTERFACE
#define INTERFACE 1 /* of QEMU 4.2 to 8.1 */
#endif
#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*call)(uint64_t id, struct qemu_plugin_tb *block));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, void (*call)(unsigned vcpu, void *data),
                                          int registers, void *data);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*call)(uint64_t id, void *data), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);

EXPORT int qemu_plugin_version = INTERFACE;

static uint64_t instructions; /* the program has one thread */

static void executed(unsigned vcpu, void *count) { instructions += (uintptr_t)count; }

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
    qemu_plugin_register_vcpu_tb_exec_cb(block, executed, 0, (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void ended(uint64_t id, void *data) { fprintf(stderr, "\ninstructions %llu\n", (unsigned long long)instructions); }

EXPORT int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
