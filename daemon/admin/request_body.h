// The JSON body of an operator's request, member by member: what is wrong, missing or unknown is
// refused by name.
//
//   FLORIN_CO_TRY(RequestBody body, RequestBody::parse(text));
//   auto const name = body.text("name");
//   FLORIN_CO_TRY_VOID(body.finish());
//
// Thread rule: one coroutine.
#pragma once

#include "ledger/base/result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace florin::admin {

class RequestBody {
public:
    // An empty text is an object without members. Errc::malformed: not a JSON object.
    static Result<RequestBody> parse(std::string_view text);
    RequestBody(RequestBody&& other) noexcept;
    RequestBody& operator=(RequestBody&& other) noexcept;
    ~RequestBody();

    // nullopt: not there, or wrong, which finish() tells. Texts are UTF-8 without control
    // characters, at most 200 bytes, and hold no card number and no key.
    std::optional<std::string> text(std::string const& name);
    std::optional<std::int64_t> integer(
        std::string const& name, std::int64_t least, std::int64_t most
    );
    std::optional<std::map<std::string, std::string>> texts(std::string const& name);
    std::optional<std::vector<std::string>> list(std::string const& name);

    // The first thing that is wrong counts. "iban: expected an IBAN …"
    void refuse(std::string const& name, std::string const& right);
    // Errc::malformed: something was wrong, or there are members that nobody asked for.
    Result<void> finish() const;

private:
    struct Members;
    explicit RequestBody(std::unique_ptr<Members> members);
    std::unique_ptr<Members> members_;
};

}  // namespace florin::admin
