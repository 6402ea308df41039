#include "daemon/api/parameters.h"

#include "daemon/api/redact.h"

#include <algorithm>
#include <charconv>

namespace florin::api {
namespace {

using http::Form;

constexpr std::size_t kMetadataKeysMax = 50;
constexpr std::size_t kMetadataKeyLengthMax = 40;
constexpr std::size_t kMetadataValueLengthMax = 500;

// As a request writes that something is unset, whatever it is.
bool is_empty(Form const& member) {
    return member.kind == Form::Kind::scalar && member.value.empty();
}

}  // namespace

Metadata MetadataChange::against(Metadata const& present) const {
    Metadata all;
    if (clears) {
        for (auto const& [key, value] : present) {
            all[key] = "";
        }
    }
    for (auto const& [key, value] : changes) {
        all[key] = value;
    }
    return all;
}

std::optional<ApiError> check_metadata_size(Metadata const& present, Metadata const& changes) {
    Metadata merged = present;
    for (auto const& [key, value] : changes) {
        if (value.empty()) {
            merged.erase(key);
        } else {
            merged[key] = value;
        }
    }
    if (merged.size() > kMetadataKeysMax) {
        return bad_parameter("", "metadata", "metadata may have at most 50 keys.");
    }
    return std::nullopt;
}

Parameters::Parameters(Form const& form, std::string name) : form_{&form}, name_{std::move(name)} {}

std::string Parameters::name_of(std::string_view key) const {
    std::string const own = shown(key);
    return name_.empty() ? own : name_ + "[" + own + "]";
}

void Parameters::refuse(ApiError error) {
    if (!error_) {
        error_ = std::move(error);
    }
}

void Parameters::refuse_missing(std::string_view key) {
    refuse(bad_parameter(
        "parameter_missing", name_of(key), "Missing required param: " + name_of(key) + "."
    ));
}

void Parameters::refuse_empty(std::string_view key) {
    refuse(bad_parameter(
        "parameter_invalid_empty",
        name_of(key),
        "You passed an empty string for '" + name_of(key) +
            "'. We assume empty values are an attempt to unset a parameter; however '" +
            name_of(key) + "' cannot be unset."
    ));
}

Form const* Parameters::ask(std::string_view key) {
    Form const* const member = form_->find(key);
    if (member != nullptr) {
        asked_.push_back(member);
    }
    return member;
}

Form const* Parameters::scalar(std::string_view key) {
    Form const* const member = ask(key);
    if (member != nullptr && member->kind != Form::Kind::scalar) {
        refuse(bad_parameter(
            "", name_of(key), "Invalid string: " + name_of(key) + " must be a single value."
        ));
        return nullptr;
    }
    return member;
}

Settable<std::string> Parameters::take_settable(std::string_view key, std::size_t length_max) {
    Form const* const member = scalar(key);
    if (member == nullptr) {
        return {};
    }
    if (member->value.empty()) {
        return {.is_given = true, .value = std::nullopt};
    }
    if (http::character_count(member->value) > length_max) {
        refuse(bad_parameter(
            "",
            name_of(key),
            "Invalid string: " + name_of(key) + " must be at most " + std::to_string(length_max) +
                " characters."
        ));
        return {};
    }
    return {.is_given = true, .value = member->value};
}

std::optional<std::string> Parameters::take_string(std::string_view key, std::size_t length_max) {
    auto taken = take_settable(key, length_max);
    if (taken.is_given && !taken.value) {
        refuse_empty(key);
    }
    return std::move(taken.value);
}

std::string Parameters::require_string(std::string_view key, std::size_t length_max) {
    auto value = take_string(key, length_max);
    if (!value) {
        refuse_missing(key);
    }
    return value.value_or("");
}

std::optional<std::int64_t> Parameters::take_integer(
    std::string_view key, std::int64_t least, std::int64_t most
) {
    auto const text = take_string(key);
    if (!text) {
        return std::nullopt;
    }
    std::int64_t number = 0;
    auto const [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc{} || end != text->data() + text->size() || text->starts_with('+')) {
        refuse(bad_parameter(
            "parameter_invalid_integer",
            name_of(key),
            "Invalid integer: " + name_of(key) + " must be a whole number."
        ));
        return std::nullopt;
    }
    if (number < least || number > most) {
        ApiError refusal = bad_parameter(
            "parameter_invalid_integer",
            name_of(key),
            "Invalid integer: " + name_of(key) + " must be between " + std::to_string(least) +
                " and " + std::to_string(most) + "."
        );
        refusal.is_own_text = true;
        refuse(std::move(refusal));
        return std::nullopt;
    }
    return number;
}

std::optional<bool> Parameters::take_boolean(std::string_view key) {
    auto const text = take_string(key);
    if (!text) {
        return std::nullopt;
    }
    // The Python SDK (stripe 5.0.0 of Debian 12) writes its own language's names.
    bool const is_true = *text == "true" || *text == "True";
    if (!is_true && *text != "false" && *text != "False") {
        refuse(bad_parameter(
            "", name_of(key), "Invalid boolean: " + name_of(key) + " must be true or false."
        ));
        return std::nullopt;
    }
    return is_true;
}

std::optional<std::string> Parameters::take_enum(
    std::string_view key, std::initializer_list<std::string_view> allowed
) {
    auto text = take_string(key);
    if (text && std::ranges::find(allowed, *text) == allowed.end()) {
        std::string list;
        for (std::string_view const each : allowed) {
            list += (list.empty() ? "" : ", ") + std::string{each};
        }
        refuse(
            bad_parameter("", name_of(key), "Invalid " + name_of(key) + ": must be one of " + list)
        );
        return std::nullopt;
    }
    return text;
}

std::vector<std::string> Parameters::take_strings(std::string_view key) {
    Form const* const member = ask(key);
    std::vector<std::string> values;
    if (member == nullptr) {
        return values;
    }
    if (is_empty(*member)) {
        refuse_empty(key);
        return values;
    }
    bool is_list = member->kind == Form::Kind::array;
    for (auto const& [index, item] : member->items) {
        is_list = is_list && item.kind == Form::Kind::scalar;
        values.push_back(item.value);
    }
    if (!is_list) {
        refuse(bad_parameter("", name_of(key), "Invalid array: " + name_of(key) + "."));
        return {};
    }
    return values;
}

std::optional<MetadataChange> Parameters::take_metadata() {
    Form const* const member = ask("metadata");
    if (member == nullptr) {
        return std::nullopt;
    }
    MetadataChange change;
    if (is_empty(*member)) {
        change.clears = true;
        return change;
    }
    if (member->kind == Form::Kind::scalar) {
        refuse(bad_parameter("", name_of("metadata"), "Invalid object: metadata must be a hash."));
        return std::nullopt;
    }
    for (auto const& [key, item] : member->items) {
        std::string const name = name_of("metadata") + "[" + shown(key) + "]";
        char const* wrong = nullptr;
        if (item.kind != Form::Kind::scalar) {
            wrong = "metadata values must be strings.";
        } else if (key.empty() || http::character_count(key) > kMetadataKeyLengthMax) {
            wrong = "metadata keys must be 1 to 40 characters.";
        } else if (http::character_count(item.value) > kMetadataValueLengthMax) {
            wrong = "metadata values must be at most 500 characters.";
        }
        if (wrong != nullptr) {
            refuse(bad_parameter("", name, wrong));
            return std::nullopt;
        }
        change.changes[key] = item.value;
    }
    // What removes a key takes no room; whether the rest has room is seen when it is merged. What
    // one request may carry has its bound in the form.
    auto const count =
        std::ranges::count_if(change.changes, [](auto const& one) { return !one.second.empty(); });
    if (static_cast<std::size_t>(count) > kMetadataKeysMax) {
        refuse(bad_parameter("", name_of("metadata"), "metadata may have at most 50 keys."));
        return std::nullopt;
    }
    return change;
}

bool Parameters::take_unset(std::string_view key) {
    Form const* const member = form_->find(key);
    bool const is_unset = member != nullptr && is_empty(*member);
    if (is_unset) {
        ask(key);
    }
    return is_unset;
}

Parameters* Parameters::take_hash(std::string_view key) {
    Form const* const member = ask(key);
    if (member == nullptr) {
        return nullptr;
    }
    if (is_empty(*member)) {
        refuse_empty(key);
        return nullptr;
    }
    if (member->kind != Form::Kind::hash) {
        refuse(
            bad_parameter("", name_of(key), "Invalid object: " + name_of(key) + " must be a hash.")
        );
        return nullptr;
    }
    hashes_.push_back(std::make_unique<Parameters>(*member, name_of(key)));
    return hashes_.back().get();
}

std::optional<ApiError> Parameters::finish() {
    // An unknown name tells more than a value that is wrong because of it.
    for (auto const& [key, item] : form_->items) {
        if (std::ranges::find(asked_, &item) == asked_.end()) {
            return bad_parameter(
                "parameter_unknown", name_of(key), "Received unknown parameter: " + name_of(key)
            );
        }
    }
    for (auto const& hash : hashes_) {
        if (auto error = hash->finish()) {
            return error;
        }
    }
    return error_;
}

}  // namespace florin::api
