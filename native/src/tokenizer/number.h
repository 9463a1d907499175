// Numbers as the tokenizers library reads them, which is not always the nearest double.
#pragma once

#include <string_view>

namespace edge_rerank::tokenizer {

// The value of a sound JSON number. The library reads all digits as one whole number, as far as 64
// bits hold it, and multiplies or divides that by a power of ten: both steps round.
double library_number(std::string_view text);

} // namespace edge_rerank::tokenizer
