// The JSON object of an operator's request, taken member by member with its type: after this there
// are no raw values.
//
//   FLORIN_CO_TRY(Body body, Body::parse(text));
//   std::string const name = body.require_text("name");
//   auto const priority = body.take_integer("priority", -1, 5);
//   FLORIN_CO_TRY_VOID(body.finish());
//
// The first thing that is wrong is remembered and answered by finish(), which also refuses members
// that nobody asked for. Nothing that looks like a card number or a secret key gets through, and no
// error repeats one. Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace florin::admin {

// The text as a JSON object, nested at most 32 deep; Errc::malformed otherwise.
Result<nlohmann::json> parse_object(std::string_view text);

// A value as answers have it: with line breaks, and always UTF-8.
std::string json_text(nlohmann::ordered_json const& value);

class Body {
public:
    static constexpr std::size_t kTextMax = 200;    // bytes
    static constexpr std::size_t kReasonMax = 500;  // bytes of what a person gives as the reason
    static constexpr std::size_t kItemsMax = 100;

    // An empty text is an object without members. Errors: those of parse_object.
    static Result<Body> parse(std::string_view text);
    Body(Body&&) noexcept;
    Body& operator=(Body&&) noexcept;
    ~Body();

    // nullopt (for require_text: empty) where the member is absent or wrong, which finish() tells.
    // A text is never empty and has no control characters.
    std::string require_text(std::string_view name, std::size_t length_max = kTextMax);
    std::optional<std::string> take_text(std::string_view name, std::size_t length_max = kTextMax);
    std::optional<bool> take_boolean(std::string_view name);
    std::optional<std::int64_t> take_integer(
        std::string_view name, std::int64_t least, std::int64_t most
    );
    // An object of texts by texts, which may have no members.
    std::optional<std::map<std::string, std::string>> take_texts(std::string_view name);
    // At least one text.
    std::optional<std::vector<std::string>> take_list(std::string_view name);

    // For what only the caller can judge: "iban: expected an IBAN …". The first complaint counts.
    void refuse(std::string_view name, std::string_view expected);
    // Errc::malformed, naming the member.
    Result<void> finish();

private:
    explicit Body(nlohmann::json object);
    nlohmann::json const* find(std::string_view name);
    void complain(std::string_view name, std::string_view what);

    std::unique_ptr<nlohmann::json> object_;
    std::set<std::string, std::less<>> asked_;
    std::optional<Error> error_;
};

}  // namespace florin::admin
