// Which process this is: a fork copies memory, but no threads.
#pragma once

#include <cstdint>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <unistd.h>
#endif

namespace edge_rerank {

inline int64_t process_id() {
#if defined(_WIN32)
    return int64_t(GetCurrentProcessId());
#else
    return int64_t(getpid());
#endif
}

} // namespace edge_rerank
