// What shapes the tiles get from set_up_tiles: on a CPU with tiles they are asked for; on another
// one the instruction ends in a signal, and what it would have read lies on the stack.
#include <csignal>
#include <cstdint>
#include <cstring>
#include <immintrin.h>
#include <ucontext.h>
#include <unistd.h>

#include "kernels/tiles_amx-inl.h"

struct Expected {
    uint8_t bytes[64] = {1};
    Expected() {
        for (int tile = 0; tile < 8; ++tile) {
            bytes[16 + 2 * tile] = 64;
            bytes[48 + tile] = 16;
        }
    }
};
static const Expected expected;

static void look(int, siginfo_t *, void *context) {
    const greg_t *registers = static_cast<ucontext_t *>(context)->uc_mcontext.gregs;
    const uint8_t *const stack = reinterpret_cast<const uint8_t *>(registers[REG_RSP]);
    for (int at = -256; at <= 256; ++at) {
        if (std::memcmp(stack + at, expected.bytes, sizeof expected.bytes) == 0) {
            _exit(0);
        }
    }
    _exit(1);
}

int main() {
    alignas(16) static uint8_t other[1 << 16]; // the handler's own stack
    stack_t stack{};
    stack.ss_sp = other;
    stack.ss_size = sizeof other;
    struct sigaction action = {};
    action.sa_sigaction = look;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    if (sigaltstack(&stack, nullptr) != 0 || sigaction(SIGILL, &action, nullptr) != 0 ||
        sigaction(SIGSEGV, &action, nullptr) != 0) {
        return 2;
    }
    void (*volatile enter)() = set_up_tiles; // as a kernel's table has it, and as such compiled
    enter();
    uint8_t found[64];
    __asm__ volatile("sttilecfg %0" : "=m"(found));
    release_tiles();
    return std::memcmp(found, expected.bytes, sizeof found) == 0 ? 0 : 3;
}
