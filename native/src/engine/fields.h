// Takes the members of a JSON object of the manifest, each checked for its type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace edge_rerank::engine {

// All raise Error with EDGE_RERANK_BAD_ARTIFACT, whose text begins with `where`.
class Fields {
  public:
    Fields(const Json &object, std::string where);

    [[noreturn]] void fail(std::string_view name, const std::string &expected) const;

    const Json &take(std::string_view name, Json::Kind kind, const std::string &expected) const;
    int whole(std::string_view name, int least, int most) const;
    // A number above 0 and below 1.
    float fraction(std::string_view name) const;
    bool flag(std::string_view name) const;
    const std::string &text(std::string_view name) const;
    // A text without NUL; `otherwise` where there is no such member.
    std::string text_or(std::string_view name, const char *otherwise) const;
    Fields child(std::string_view name) const;
    // The objects of a list of at most `most`.
    std::vector<Fields> children(std::string_view name, size_t most) const;
    // Whether it is there, and not null: members that came later are left out by older releases.
    bool has(std::string_view name) const;
    bool is_null(std::string_view name) const;

  private:
    const Json &object_;
    std::string where_;
};

} // namespace edge_rerank::engine
