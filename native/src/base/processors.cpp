#include "base/processors.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#elif defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#endif

namespace edge_rerank {

namespace {
using Lines = std::vector<std::string>;

Lines split(const std::string &text, char separator) {
    Lines parts;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find(separator, at), text.size());
        parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

// The system's own files say nothing of their size: they are read to their end.
Lines lines_of(const std::string &path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE *)> file(std::fopen(path.c_str(), "re"),
                                                                std::fclose);
    std::string text;
    char part[4096];
    for (size_t count = 1; file && count > 0;) {
        count = std::fread(part, 1, sizeof part, file.get());
        text.append(part, count);
    }
    return split(text, '\n');
}

std::string first_line(const std::string &path) {
    const Lines lines = lines_of(path);
    return lines.empty() ? "" : lines[0];
}

// Undoes the octal escapes of mountinfo.
std::string unescape(const std::string &field) {
    std::string text;
    for (size_t i = 0; i < field.size(); ++i) {
        const auto octal = [&](size_t at) {
            return at < field.size() && field[at] >= '0' && field[at] <= '7';
        };
        if (field[i] == '\\' && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
            text += char((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + field[i + 3] - '0');
            i += 3;
        } else {
            text += field[i];
        }
    }
    return text;
}

bool has(const std::string &list, const std::string &name) {
    const Lines names = split(list, ',');
    return std::find(names.begin(), names.end(), name) != names.end();
}

struct Mount {
    bool unified; // of version 2
    std::string root, point;
};

// Where hierarchies that can hold quotas are mounted, and which part of them.
std::vector<Mount> find_mounts(const std::string &process) {
    std::vector<Mount> mounts;
    for (const std::string &line : lines_of(process + "/mountinfo")) {
        const size_t middle = line.find(" - ");
        if (middle == std::string::npos) {
            continue;
        }
        const Lines place = split(line.substr(0, middle), ' ');
        const Lines kind = split(line.substr(middle + 3), ' ');
        if (place.size() < 5 || kind.size() < 3) {
            continue;
        }
        const bool unified = kind[0] == "cgroup2";
        if (unified || (kind[0] == "cgroup" && has(kind[2], "cpu"))) {
            mounts.push_back({unified, unescape(place[3]), unescape(place[4])});
        }
    }
    return mounts;
}

// Digits alone: "max" and "-1" are no quota.
int64_t number(const std::string &text) {
    const bool digits = !text.empty() && text.size() < 19 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    return digits ? std::stoll(text) : -1;
}

int64_t quota_of(const std::string &folder, bool unified) {
    int64_t quota, period;
    if (unified) {
        const Lines fields = split(first_line(folder + "/cpu.max"), ' ');
        quota = !fields.empty() ? number(fields[0]) : -1;
        period = fields.size() > 1 ? number(fields[1]) : -1;
    } else {
        quota = number(first_line(folder + "/cpu.cfs_quota_us"));
        period = number(first_line(folder + "/cpu.cfs_period_us"));
    }
    if (quota < 0 || period <= 0) {
        return std::numeric_limits<int64_t>::max();
    }
    return std::max<int64_t>(1, quota / period);
}

// The path of a cgroup below what is mounted; empty where that is another namespace's, so that the
// mount point is all that can be seen.
std::string path_below(const std::string &root, const std::string &path) {
    const std::string base = root == "/" ? "" : root;
    const bool inside = path.compare(0, base.size(), base) == 0 &&
                        (path.size() == base.size() || path[base.size()] == '/');
    if (!inside || (path + "/").find("/../") != std::string::npos) {
        return "";
    }
    const std::string below = path.substr(base.size());
    return below == "/" ? "" : below;
}

int64_t least_quota(const Mount &mount, const std::string &path) {
    std::string below = path_below(mount.root, path);
    int64_t least = std::numeric_limits<int64_t>::max();
    while (true) {
        least = std::min(least, quota_of(mount.point + below, mount.unified));
        if (below.empty()) {
            return least;
        }
        below.erase(below.find_last_of('/'));
    }
}

// Processors that the affinity leaves, or -1.
int affinity() {
#if defined(__linux__)
    for (int most = 1024; most <= 1 << 20; most *= 4) { // until the set has room for all
        cpu_set_t *set = CPU_ALLOC(size_t(most));
        if (!set) {
            break;
        }
        const size_t size = CPU_ALLOC_SIZE(size_t(most));
        const int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : -1;
        CPU_FREE(set);
        if (count > 0) {
            return count;
        }
    }
#elif defined(_WIN32)
    DWORD_PTR own = 0, all = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &own, &all) && own != 0) {
        return __builtin_popcountll(own);
    }
#endif
    return -1;
}
} // namespace

int cgroup_processors(const std::string &process, int most) {
    int64_t least = most;
    const std::vector<Mount> mounts = find_mounts(process);
    for (const std::string &line : lines_of(process + "/cgroup")) {
        const size_t first = line.find(':');
        const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) {
            continue;
        }
        const std::string controllers = line.substr(first + 1, second - first - 1);
        for (const Mount &mount : mounts) {
            if (mount.unified ? controllers.empty() : has(controllers, "cpu")) {
                least = std::min(least, least_quota(mount, line.substr(second + 1)));
            }
        }
    }
    return int(std::max<int64_t>(1, least));
}

int usable_processors() {
    const int allowed = affinity();
    const int processors =
        allowed > 0 ? allowed : std::max(1, int(std::thread::hardware_concurrency()));
#if defined(__linux__)
    return cgroup_processors("/proc/self", processors);
#else
    return processors;
#endif
}

} // namespace edge_rerank
