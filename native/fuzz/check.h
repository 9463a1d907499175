// What must hold whatever the input: a fuzzer stops where it does not.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "edge_rerank.h"

namespace fuzz {

inline void check(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "%s; the last error is: %s\n", what, edge_rerank_last_error());
        abort();
    }
}

// One line that is not empty, of UTF-8 as far as its bytes' kinds go.
inline bool is_line(const char *text) {
    const char *at = text;
    while (*at) {
        const unsigned char lead = static_cast<unsigned char>(*at++);
        if (lead < 0x20 || lead == 0x7F || (lead >= 0x80 && lead < 0xC2) || lead > 0xF4) {
            return false;
        }
        for (int more = (lead >= 0xC2) + (lead >= 0xE0) + (lead >= 0xF0); more; --more, ++at) {
            if ((*at & 0xC0) != 0x80) {
                return false;
            }
        }
    }
    return at != text;
}

// A failure is one of those that the header names for the caller or the artifact, and says why.
inline void check_status(edge_rerank_status status, edge_rerank_status most) {
    if (status != EDGE_RERANK_OK) {
        const bool known = status == most || status == EDGE_RERANK_INVALID_ARGUMENT ||
                           status == EDGE_RERANK_BAD_ARTIFACT;
        check(known, "a status that nothing explains");
        check(is_line(edge_rerank_last_error()), "the error is not one line of UTF-8");
    }
}

inline void check_finite(const std::vector<float> &values) {
    for (const float value : values) {
        check(std::isfinite(value), "a logit is not finite");
    }
}

// The kernels that run here, the scalar one first.
inline std::vector<std::string> kernels() {
    std::vector<std::string> names;
    std::istringstream all(edge_rerank_kernels());
    for (std::string name; std::getline(all, name, ',');) {
        names.insert(names.begin(), name);
    }
    return names;
}

} // namespace fuzz
