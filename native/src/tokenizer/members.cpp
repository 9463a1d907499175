#include "tokenizer/members.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"

namespace edge_rerank::tokenizer {

namespace {
const Json *find(const Json *object, std::string_view name) {
    return object && object->kind() == Json::Kind::object ? object->find(name) : nullptr;
}
} // namespace

const Json &member(const Json *object, std::string_view name, Json::Kind kind,
                   const std::string &where) {
    const Json *found = find(object, name);
    if (!found || found->kind() != kind) {
        unsupported(where + ": \"" + std::string(name) + "\" is missing, or of another kind");
    }
    return *found;
}

const std::string &text_member(const Json *object, std::string_view name,
                               const std::string &where) {
    return member(object, name, Json::Kind::text, where).text();
}

bool bool_member(const Json *object, std::string_view name, const std::string &where) {
    return member(object, name, Json::Kind::boolean, where).boolean();
}

bool optional_bool(const Json *object, std::string_view name, bool otherwise,
                   const std::string &where) {
    const Json *found = find(object, name);
    const bool missing = !found || found->kind() == Json::Kind::null;
    return missing ? otherwise : bool_member(object, name, where);
}

std::string optional_text(const Json *object, std::string_view name, const std::string &otherwise,
                          const std::string &where) {
    const Json *found = find(object, name);
    const bool missing = !found || found->kind() == Json::Kind::null;
    return missing ? otherwise : text_member(object, name, where);
}

int32_t id_member(const Json *object, std::string_view name, const std::string &where) {
    const Json &found = member(object, name, Json::Kind::number, where);
    if (!found.whole() || found.number() < 0 || found.number() > INT32_MAX) {
        unsupported(where + ": \"" + std::string(name) + "\" is no whole number from 0 on");
    }
    return int32_t(found.number());
}

bool is_type(const Json *object, std::string_view name) {
    const Json *type = find(object, "type");
    return type && type->kind() == Json::Kind::text && type->text() == name;
}

void allow_members(const Json *object, std::initializer_list<std::string_view> names,
                   const std::string &where) {
    for (const auto &each : object->members()) {
        if (std::find(names.begin(), names.end(), each.first) == names.end()) {
            unsupported(where + ": \"" + each.first + "\" is not known");
        }
    }
}

std::string known_type(const Json *object, const char *what,
                       std::initializer_list<std::string_view> known, const std::string &where) {
    const std::string type = type_of(object);
    if (std::find(known.begin(), known.end(), type) != known.end()) {
        return type;
    }
    std::string names;
    for (const std::string_view name : known) {
        names.append(names.empty() ? "" : ", ").append(name);
    }
    unsupported(where + ": the " + what + " " + type + " is not known; known are " + names);
}

std::string type_of(const Json *object) {
    const Json *type = find(object, "type");
    return type && type->kind() == Json::Kind::text ? type->text() : "without a type";
}

} // namespace edge_rerank::tokenizer
