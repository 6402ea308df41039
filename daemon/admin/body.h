// The JSON object of a request, taken member by member with its type: after this there are no raw
// values. The first thing that is wrong is remembered and answered by finish(), which also refuses
// members that nobody asked for. Nothing that looks like a card number or a secret key gets
// through. Thread rule: one thread.
#pragma once

#include "daemon/http/message.h"
#include "ledger/base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace florin::admin {

// The body as a JSON object, nested at most 32 deep; Errc::malformed otherwise.
Result<nlohmann::json> parse_object(std::string const& body);

class Body {
public:
    static Result<Body> parse(http::Request const& request);
    Body(Body&&) noexcept;
    Body& operator=(Body&&) noexcept;
    ~Body();

    // Not empty, at most `length_max` bytes.
    std::string require_text(std::string_view name, std::size_t length_max);
    std::optional<std::string> take_text(std::string_view name, std::size_t length_max);
    std::optional<bool> take_boolean(std::string_view name);
    std::optional<std::int64_t> take_integer(
        std::string_view name, std::int64_t least, std::int64_t most
    );
    // Errc::malformed, naming the member.
    Result<void> finish();

private:
    explicit Body(nlohmann::json object);
    nlohmann::json const* find(std::string_view name);
    void refuse(std::string_view name, std::string const& what);

    std::unique_ptr<nlohmann::json> object_;
    std::set<std::string, std::less<>> asked_;
    std::optional<Error> error_;
};

}  // namespace florin::admin
