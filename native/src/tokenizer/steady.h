// Characters between which a text can be cut, so that what a normaliser makes of the first part
// does not depend on the second.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokenizer/added.h"
#include "tokenizer/normalizer.h"

namespace edge_rerank::tokenizer {

// Whether a character is no white space, and joins to none beside it that is steady, too: it is no
// mark, no part of a cluster, and no normal form takes it apart or puts it to another one.
bool is_steady(uint32_t code);
bool is_steady(std::string_view text);

// The last place in `text` at which it can be cut and no added token is near; 0 where there is
// none in its second half. What comes behind `text` is not known.
size_t place_to_cut(std::string_view text, const Normalizer &normalizer, const Needles &added);

} // namespace edge_rerank::tokenizer
