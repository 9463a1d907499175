// Members of the parts of a tokenizer.json, which must be exactly the known ones.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/json.h"

namespace edge_rerank::tokenizer {

// The member of an object, of this kind. Raises Error with EDGE_RERANK_UNSUPPORTED where there is
// no such object or member; `where` begins its text.
const Json &member(const Json *object, std::string_view name, Json::Kind kind,
                   const std::string &where);

const std::string &text_member(const Json *object, std::string_view name, const std::string &where);
bool bool_member(const Json *object, std::string_view name, const std::string &where);

// The same for members that may be missing or null.
bool optional_bool(const Json *object, std::string_view name, bool otherwise,
                   const std::string &where);
std::string optional_text(const Json *object, std::string_view name, const std::string &otherwise,
                          const std::string &where);

// A whole number from 0 to 2^31 - 1.
int32_t id_member(const Json *object, std::string_view name, const std::string &where);

// Whether the object has a "type" of this name.
bool is_type(const Json *object, std::string_view name);

// Raises Error with EDGE_RERANK_UNSUPPORTED for a member that is none of these.
void allow_members(const Json *object, std::initializer_list<std::string_view> names,
                   const std::string &where);

// The object's "type", which must be one of these, in the order of the alphabet. Raises Error with
// EDGE_RERANK_UNSUPPORTED, which lists them, for another one; `what` says what kind of part it is.
std::string known_type(const Json *object, const char *what,
                       std::initializer_list<std::string_view> known, const std::string &where);

// The type's name for the text of an error.
std::string type_of(const Json *object);

} // namespace edge_rerank::tokenizer
