// The time that a thread calls a kernel's functions.
#pragma once

#include "kernels/kernel.h"

namespace edge_rerank::kernels {

// Enters the kernel, and leaves it in the end; see Kernel.
class Stay {
  public:
    explicit Stay(const Kernel &kernel) : leave_(kernel.leave) {
        if (kernel.enter) {
            kernel.enter();
        }
    }
    ~Stay() {
        if (leave_) {
            leave_();
        }
    }
    Stay(const Stay &) = delete;
    Stay &operator=(const Stay &) = delete;

  private:
    void (*leave_)();
};

} // namespace edge_rerank::kernels
