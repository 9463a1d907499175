// How many threads this process may run at once.
#pragma once

#include <string>

namespace edge_rerank {

// By affinity and, on Linux, by the CPU quotas of the cgroups above the process; at least 1. A
// container that may use two of a host's 64 processors still sees 64 of them.
int usable_processors();

// The whole processors that the cgroups (version 1 or 2) above a process allow it, or else `most`.
// `process` is the folder that is /proc/self. Anything unreadable counts as no limit.
int cgroup_processors(const std::string &process, int most);

} // namespace edge_rerank
