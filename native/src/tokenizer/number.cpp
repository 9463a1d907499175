#include "tokenizer/number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>

namespace edge_rerank::tokenizer {

namespace {
constexpr int kLargestPower = 308;
constexpr int kAbsurd = 1 << 20;

std::array<double, kLargestPower + 1> make_powers() {
    std::array<double, kLargestPower + 1> powers{};
    for (int i = 0; i <= kLargestPower; ++i) {
        const std::string text = "1e" + std::to_string(i);
        std::from_chars(text.data(), text.data() + text.size(), powers[size_t(i)]);
    }
    return powers;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

double scaled(double value, int exponent) {
    static const std::array<double, kLargestPower + 1> powers = make_powers();
    if (exponent >= 0) {
        return exponent > kLargestPower ? value * HUGE_VAL : value * powers[size_t(exponent)];
    }
    for (; exponent < -kLargestPower && value != 0; exponent += kLargestPower) {
        value /= powers[kLargestPower];
    }
    return value == 0 ? value : value / powers[size_t(-exponent)];
}
} // namespace

double library_number(std::string_view text) {
    uint64_t digits = 0;
    int exponent = 0;
    bool full = false, fraction = false;
    size_t at = text[0] == '-';
    for (; at < text.size() && (is_digit(text[at]) || text[at] == '.'); ++at) {
        if (text[at] == '.') {
            fraction = true;
            continue;
        }
        const auto digit = uint64_t(text[at] - '0');
        full = full || digits > (UINT64_MAX - digit) / 10;
        if (!full) {
            digits = digits * 10 + digit;
        }
        exponent += (full && !fraction) - (!full && fraction);
    }
    if (at < text.size()) { // an e, and a sign perhaps
        const size_t sign = at + 1;
        int given = 0;
        for (at = sign + !is_digit(text[sign]); at < text.size(); ++at) {
            given = std::min(given * 10 + (text[at] - '0'), kAbsurd);
        }
        exponent += text[sign] == '-' ? -given : given;
    }
    const double value = scaled(double(digits), exponent);
    return text[0] == '-' ? -value : value;
}

} // namespace edge_rerank::tokenizer
