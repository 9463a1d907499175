#include "base/line.h"

#include <cstddef>
#include <cstdint>

namespace edge_rerank {

namespace {
constexpr size_t kLongest = 6000; // a path may have 4,096 bytes

// How many bytes the character has that `text` begins with; 0 where it must not be shown.
size_t character(const char *text) {
    static const uint32_t least[] = {0, 0x20, 0x80, 0x800, 0x10000};
    const unsigned char lead = static_cast<unsigned char>(*text);
    const size_t count = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t code = count == 1 ? lead : lead & (0x7Fu >> count);
    for (size_t i = 1; i < count; ++i) {
        if ((text[i] & 0xC0) != 0x80) { // the zero at the end as well
            return 0;
        }
        code = code << 6 | (text[i] & 0x3F);
    }
    const bool control = code == 0x7F || (code >= 0x80 && code < 0xA0);
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    return code < least[count] || code > 0x10FFFF || control || surrogate ? 0 : count;
}
} // namespace

std::string one_line(const char *text) {
    std::string line;
    while (*text && line.size() < kLongest) {
        const size_t count = character(text);
        if (count) {
            line.append(text, count);
        } else {
            line += '?';
        }
        text += count ? count : 1;
    }
    return *text ? line + " ..." : line;
}

} // namespace edge_rerank
