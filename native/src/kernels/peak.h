// What this machine can do at most.
#pragma once

#include "kernels/kernel.h"

namespace edge_rerank::kernels {

// Multiply-adds a second of one core, by one of the kernel's loops.
double peak_rate(const Kernel &kernel, double (*loop)(long rounds));

// Bytes a second that one core reads from memory.
double read_rate();

} // namespace edge_rerank::kernels
