#include "engine/fields.h"

#include "base/error.h"

namespace edge_rerank::engine {

Fields::Fields(const Json &object, std::string where) : object_(object), where_(std::move(where)) {
    if (object.kind() != Json::Kind::object) {
        bad_artifact(where_ + ": expected an object");
    }
}

void Fields::fail(std::string_view name, const std::string &expected) const {
    bad_artifact(where_ + ": " + std::string(name) + " is missing or wrong; expected " + expected);
}

const Json &Fields::take(std::string_view name, Json::Kind kind,
                         const std::string &expected) const {
    const Json *found = object_.find(name);
    if (!found || found->kind() != kind) {
        fail(name, expected);
    }
    return *found;
}

int Fields::whole(std::string_view name, int least, int most) const {
    const std::string expected =
        "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    const Json &found = take(name, Json::Kind::number, expected);
    if (!found.whole() || found.number() < least || found.number() > most) {
        fail(name, expected);
    }
    return int(found.number());
}

float Fields::fraction(std::string_view name) const {
    const double value = take(name, Json::Kind::number, "a small number").number();
    if (!(value > 1e-30 && value < 1)) {
        fail(name, "a number above 0 and below 1");
    }
    return float(value);
}

bool Fields::flag(std::string_view name) const {
    return take(name, Json::Kind::boolean, "true or false").boolean();
}

const std::string &Fields::text(std::string_view name) const {
    return take(name, Json::Kind::text, "a text").text();
}

std::string Fields::text_or(std::string_view name, const char *otherwise) const {
    if (!object_.find(name)) {
        return otherwise;
    }
    const std::string &found = text(name);
    if (found.find('\0') != std::string::npos) {
        fail(name, "a text without NUL");
    }
    return found;
}

Fields Fields::child(std::string_view name) const {
    return Fields(take(name, Json::Kind::object, "an object"), where_ + ": " + std::string(name));
}

std::vector<Fields> Fields::children(std::string_view name, size_t most) const {
    const std::string expected = "a list of at most " + std::to_string(most) + " objects";
    const std::vector<Json> &items = take(name, Json::Kind::list, expected).list();
    if (items.size() > most) {
        fail(name, expected);
    }
    std::vector<Fields> result;
    for (const Json &item : items) {
        result.emplace_back(item, where_ + ": " + std::string(name));
    }
    return result;
}

bool Fields::has(std::string_view name) const { return object_.find(name) && !is_null(name); }

bool Fields::is_null(std::string_view name) const {
    const Json *found = object_.find(name);
    return found && found->kind() == Json::Kind::null;
}

} // namespace edge_rerank::engine
