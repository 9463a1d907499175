// The tokens <0x00> to <0xFF>, which stand for the bytes of what a vocabulary lacks.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/model.h"

namespace edge_rerank::tokenizer {

class ByteTokens {
  public:
    // Those that the model has. Its vocabulary must be there already.
    explicit ByteTokens(const Model &model);

    static std::string name(char byte);
    int32_t id(char byte) const { return ids_[static_cast<unsigned char>(byte)]; }

    // Whether there is a token for each byte of the text.
    bool have(std::string_view text) const;
    void append(std::string_view text, std::vector<int32_t> &ids) const;
    void append_backwards(std::string_view text, std::vector<int32_t> &ids) const;

  private:
    std::array<int32_t, 256> ids_;
};

} // namespace edge_rerank::tokenizer
