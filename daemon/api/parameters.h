// Parameters of a request, taken one by one with their types: after this there are no raw strings.
//
// Every take_ function records the name it asked for and the first thing that is wrong; finish()
// answers it, or the first parameter that nobody asked for. Errors carry the codes and the
// bracketed `param` names of the wire convention. Thread rule: one thread.
#pragma once

#include "daemon/api/error.h"
#include "daemon/http/form.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace florin::api {

// An empty value unsets a nullable field: present and empty.
template <class T>
struct Settable {
    bool is_given = false;
    std::optional<T> value;
};

using Metadata = std::map<std::string, std::string>;
// What a request does to metadata: clear all, then set these; an empty value removes its key.
struct MetadataChange {
    bool clears = false;
    Metadata changes;

    // The same as changes to `present` alone, where clearing removes every key there is.
    Metadata against(Metadata const& present) const;
};
// After a merge; nullopt: within its bounds.
std::optional<ApiError> check_metadata_size(Metadata const& present, Metadata const& changes);

class Parameters {
public:
    // `form` outlives this.
    explicit Parameters(http::Form const& form, std::string name = {});

    bool is_hash(std::string_view key) const {
        auto const* const member = form_->find(key);
        return member != nullptr && member->kind == http::Form::Kind::hash;
    }
    bool has(std::string_view key) const { return form_->find(key) != nullptr; }

    std::optional<std::string> take_string(std::string_view key, std::size_t length_max = 5'000);
    std::string require_string(std::string_view key, std::size_t length_max = 5'000);
    Settable<std::string> take_settable(std::string_view key, std::size_t length_max = 5'000);
    std::optional<std::int64_t> take_integer(
        std::string_view key, std::int64_t least, std::int64_t most
    );
    std::optional<bool> take_boolean(std::string_view key);
    std::optional<std::string> take_enum(
        std::string_view key, std::initializer_list<std::string_view> allowed
    );
    std::vector<std::string> take_strings(std::string_view key);
    std::optional<MetadataChange> take_metadata();
    // Whether a nullable hash is given as an empty value, which unsets it.
    bool take_unset(std::string_view key);
    // The members of a hash; nullptr: not given. Lives as long as this.
    Parameters* take_hash(std::string_view key);
    // Accepted and not looked at: whatever is below it is fine.
    void ignore(std::string_view key) { ask(key); }

    void refuse(ApiError error);
    // A missing parameter, by the wire's own words.
    void refuse_missing(std::string_view key);
    // The first error of this and of every hash below it.
    std::optional<ApiError> finish();
    // As it is shown: of a name that nobody here knows, no more than a hundred bytes.
    std::string name_of(std::string_view key) const;

private:
    // The member, noted as asked for; nullptr: not given.
    http::Form const* ask(std::string_view key);
    http::Form const* scalar(std::string_view key);
    // An empty value of what cannot be unset.
    void refuse_empty(std::string_view key);
    http::Form const* form_;
    std::string name_;
    std::vector<http::Form const*> asked_;  // of those that are given
    std::vector<std::unique_ptr<Parameters>> hashes_;
    std::optional<ApiError> error_;
};

}  // namespace florin::api
