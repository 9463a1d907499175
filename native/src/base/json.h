// Reads JSON (RFC 8259) strictly: the manifest and the header of the weights file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edge_rerank {

class Json {
  public:
    enum class Kind { null, boolean, number, text, list, object };

    // Raises Error with EDGE_RERANK_BAD_ARTIFACT; `where` begins its text. Refuses what a lenient
    // reader would let pass: repeated members, trailing text, nesting deeper than 32.
    static Json parse(std::string_view text, const std::string &where);

    Kind kind() const { return kind_; }
    const std::string &text() const { return text_; }
    const std::vector<Json> &list() const { return list_; }
    const std::vector<std::pair<std::string, Json>> &members() const { return members_; }
    double number() const { return number_; }
    bool boolean() const { return number_ != 0; }
    // True for a number without fraction whose magnitude is at most 2^53.
    bool whole() const;

    // The member of an object, or null when there is none.
    const Json *find(std::string_view name) const;

  private:
    friend class JsonParser;

    Kind kind_ = Kind::null;
    double number_ = 0;
    std::string text_;
    std::vector<Json> list_;
    std::vector<std::pair<std::string, Json>> members_;
};

} // namespace edge_rerank
