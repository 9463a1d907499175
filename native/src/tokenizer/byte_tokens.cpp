#include "tokenizer/byte_tokens.h"

#include <algorithm>
#include <cstdio>

namespace edge_rerank::tokenizer {

ByteTokens::ByteTokens(const Model &model) {
    for (size_t byte = 0; byte < ids_.size(); ++byte) {
        ids_[byte] = model.find(name(char(byte)));
    }
}

std::string ByteTokens::name(char byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", unsigned(static_cast<unsigned char>(byte)));
    return text;
}

bool ByteTokens::have(std::string_view text) const {
    return std::none_of(text.begin(), text.end(),
                        [this](char byte) { return id(byte) == Model::kNone; });
}

void ByteTokens::append(std::string_view text, std::vector<int32_t> &ids) const {
    for (const char byte : text) {
        ids.push_back(id(byte));
    }
}

void ByteTokens::append_backwards(std::string_view text, std::vector<int32_t> &ids) const {
    for (auto byte = text.rbegin(); byte != text.rend(); ++byte) {
        ids.push_back(id(*byte));
    }
}

} // namespace edge_rerank::tokenizer
