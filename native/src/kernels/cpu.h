// Which kernels this CPU can run.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel.h"

namespace edge_rerank::kernels {

// Those that this CPU can run, fastest first; the scalar one is always the last.
const std::vector<const Kernel *> &available();

// The one of this name, the one that EDGE_RERANK_KERNEL names when `name` is null or empty, or
// else the fastest. Raises Error with EDGE_RERANK_UNSUPPORTED for one that does not run here. For
// matrix tiles the system is asked first; where it refuses, the next kernel is the fastest.
const Kernel &choose(const char *name);

// How it chooses: among these, by what the system allows.
const Kernel &pick(const std::vector<const Kernel *> &kernels, const std::string &wanted,
                   bool (*allowed)(const Kernel &));

} // namespace edge_rerank::kernels
