// UTF-8: its check, and going through a text that has passed it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace edge_rerank {

// Where the first byte lies that is no part of a character, or text.size() when all is well.
// Characters written longer than needed, surrogates and numbers above U+10FFFF are none.
size_t first_fault(std::string_view text);

inline bool is_utf8(std::string_view text) { return first_fault(text) == text.size(); }

// How many bytes the character takes that begins with this byte.
inline size_t char_size(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

// The number of the character that begins at `at`; the text must be sound.
inline uint32_t char_at(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return uint32_t(static_cast<unsigned char>(text[at + i])); };
    switch (char_size(text[at])) {
        case 1: return byte(0);
        case 2: return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
        case 3: return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
        default:
            return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
                   (byte(3) & 0x3F);
    }
}

// Where the character begins that ends before `end`, which is not 0.
inline size_t char_before(std::string_view text, size_t end) {
    do {
        --end;
    } while ((text[end] & 0xC0) == 0x80);
    return end;
}

void append_utf8(std::string &text, uint32_t code);

// White space as Unicode defines it.
bool is_space(uint32_t code);

} // namespace edge_rerank
