#include "base/utf8.h"

#include <cstring>

namespace edge_rerank {

namespace {
// How many bytes the sound character at `at` takes; 0 when there is none.
size_t sound_size(std::string_view text, size_t at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
        return 1;
    }
    const size_t size = char_size(text[at]);
    if (lead < 0xC2 || lead > 0xF4 || at + size > text.size()) {
        return 0;
    }
    for (size_t i = 1; i < size; ++i) {
        if ((text[at + i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    const uint32_t code = char_at(text, at);
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xD800 && code < 0xE000;
    return code < least[size] || code > 0x10FFFF || surrogate ? 0 : size;
}
} // namespace

size_t first_fault(std::string_view text) {
    size_t at = 0;
    while (at < text.size()) {
        uint64_t eight = 0;
        if (at + sizeof eight <= text.size()) { // most texts are mostly ASCII
            std::memcpy(&eight, text.data() + at, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                at += sizeof eight;
                continue;
            }
        }
        const size_t size = sound_size(text, at);
        if (!size) {
            return at;
        }
        at += size;
    }
    return at;
}

void append_utf8(std::string &text, uint32_t code) {
    if (code < 0x80) {
        text += char(code);
        return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    text += char(lead[more] | (code >> (6 * more)));
    for (int i = more - 1; i >= 0; --i) {
        text += char(0x80 | ((code >> (6 * i)) & 0x3F));
    }
}

bool is_space(uint32_t code) {
    return (code >= 0x9 && code <= 0xD) || code == 0x20 || code == 0x85 || code == 0xA0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

} // namespace edge_rerank
