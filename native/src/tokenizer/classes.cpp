#include "tokenizer/classes.h"

#include <array>

#include "tokenizer/classes_table.h"

namespace edge_rerank::tokenizer {

namespace {
CharClass searched(uint32_t code) {
    const ClassRange *range = find_range(kClasses, code);
    return range ? range->kind : CharClass::other;
}

// The characters of which most texts in Latin script are made are not searched for.
constexpr uint32_t kListed = 0x250;

std::array<CharClass, kListed> make_list() {
    std::array<CharClass, kListed> list{};
    for (uint32_t code = 0; code < kListed; ++code) {
        list[code] = searched(code);
    }
    return list;
}
} // namespace

CharClass class_of(uint32_t code) {
    static const std::array<CharClass, kListed> list = make_list();
    return code < kListed ? list[code] : searched(code);
}

bool is_word_part(uint32_t code) { return find_range(kWordParts, code) != nullptr; }

} // namespace edge_rerank::tokenizer
