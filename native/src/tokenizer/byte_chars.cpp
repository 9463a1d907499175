#include "tokenizer/byte_chars.h"

#include <array>
#include <string>

#include "base/utf8.h"

namespace edge_rerank::tokenizer {

namespace {
struct ByteChar {
    char bytes[2];
    uint8_t size;
};

bool stands_for_itself(uint32_t byte) {
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

std::array<ByteChar, 256> make_alphabet() {
    std::array<ByteChar, 256> alphabet{};
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < alphabet.size(); ++byte) {
        std::string text;
        append_utf8(text, stands_for_itself(byte) ? byte : next++);
        ByteChar &each = alphabet[byte];
        each.size = uint8_t(text.size());
        text.copy(each.bytes, text.size());
    }
    return alphabet;
}
} // namespace

std::string_view byte_char(char byte) {
    static const std::array<ByteChar, 256> alphabet = make_alphabet();
    const ByteChar &found = alphabet[static_cast<unsigned char>(byte)];
    return {found.bytes, found.size};
}

} // namespace edge_rerank::tokenizer
