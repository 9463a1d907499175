#include "tokenizer/charsmap.h"

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/graphemes.h"

namespace edge_rerank::tokenizer {

namespace {
// Longer clusters are not looked up as a whole: the tokenizers library does it so.
constexpr size_t kLongestCluster = 5;

int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// The bytes that a base64 text stands for; false where it is none, to the last bit.
bool decode_base64(std::string_view text, std::string &bytes) {
    if (text.size() % 4 != 0) {
        return false;
    }
    size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
        ++padding;
    }
    text.remove_suffix(padding);
    bytes.reserve(text.size() / 4 * 3 + 2);
    uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const int digit = digit_of(c);
        if (digit < 0) {
            return false;
        }
        bits = bits << 6 | uint32_t(digit);
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes += char(bits >> count & 0xFF);
        }
    }
    return (bits & ((1u << count) - 1)) == 0;
}

uint32_t read_u32(std::string_view bytes, size_t at) {
    uint32_t value = 0;
    for (size_t i = 4; i-- > 0;) {
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    return value;
}

// The parts of a unit of the double array.
uint32_t label(uint32_t unit) { return unit & (1u << 31 | 0xFF); }
bool has_leaf(uint32_t unit) { return unit >> 8 & 1; }
uint32_t leaf_value(uint32_t unit) { return unit & ~(1u << 31); }
uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & 1u << 9) >> 6); }
} // namespace

Charsmap::Charsmap(std::string_view base64, const std::string &where) : where_(where) {
    std::string bytes;
    if (!decode_base64(base64, bytes)) {
        fail("is not base64");
    }
    if (bytes.size() < 4 || read_u32(bytes, 0) > bytes.size() - 4) {
        fail("is shorter than it says");
    }
    const size_t units = read_u32(bytes, 0) / 4;
    if (units == 0) {
        fail("is empty");
    }
    trie_.reserve(units);
    for (size_t i = 1; i <= units; ++i) {
        trie_.push_back(read_u32(bytes, 4 * i));
    }
    replacements_ = bytes.substr(4 + 4 * units);
    if (!is_utf8(replacements_)) {
        fail("has replacements that are not UTF-8");
    }
}

void Charsmap::fail(const char *what) const { bad_artifact(where_ + ": the charsmap " + what); }

uint32_t Charsmap::unit(uint32_t place) const {
    if (place >= trie_.size()) {
        fail("points outside of itself");
    }
    return trie_[place];
}

// Looks for the shortest rule that the part begins with, and puts its replacement in the place of
// the whole part. That is odd, but it is what models were trained with.
bool Charsmap::replace(std::string_view part, std::string &result) const {
    uint32_t place = offset(unit(0));
    for (const char c : part) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte == 0) {
            return false;
        }
        place ^= byte;
        const uint32_t found = unit(place);
        if (label(found) != byte) {
            return false;
        }
        place ^= offset(found);
        if (has_leaf(found)) {
            const size_t start = leaf_value(unit(place));
            if (start > replacements_.size() ||
                (start < replacements_.size() && (replacements_[start] & 0xC0) == 0x80)) {
                fail("points outside of its replacements");
            }
            result.append(replacements_.c_str() + start); // up to the zero byte
            return true;
        }
    }
    return false;
}

void Charsmap::apply(std::string_view text, std::string &result) const {
    for (size_t at = 0; at < text.size();) {
        const size_t end = cluster_end(text, at);
        if (end - at <= kLongestCluster && replace(text.substr(at, end - at), result)) {
            at = end;
            continue;
        }
        while (at < end) {
            const std::string_view one = text.substr(at, char_size(text[at]));
            if (!replace(one, result)) {
                result.append(one);
            }
            at += one.size();
        }
    }
}

} // namespace edge_rerank::tokenizer
