// Texts of errors: they hold names and words from files and from callers, which may be anything.
#pragma once

#include <string>

namespace edge_rerank {

// The text as one line of UTF-8: a question mark stands for each control character and for each
// byte that is not UTF-8, and what is too long to be shown is cut.
std::string one_line(const char *text);

} // namespace edge_rerank
