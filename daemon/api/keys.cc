#include "daemon/api/keys.h"

#include "crypto/hmac.h"

#include <boost/beast/core/detail/base64.hpp>

#include <algorithm>

namespace florin::api {
namespace {

constexpr std::size_t kIdLength = 12;
constexpr std::size_t kSecretLength = 32;

std::string hash_of(KeyBytes const& pepper, ApiKey const& key) {
    return to_hex(view(crypto::hmac_sha256(pepper, key.reveal())));
}

// The id inside a key's text; empty: not of this form.
std::string_view id_in(std::string_view text) {
    constexpr std::size_t kPrefixLength = 8;  // "sk_test_"
    if (text.size() != kPrefixLength + kIdLength + kSecretLength) {
        return {};
    }
    return text.substr(kPrefixLength, kIdLength);
}

std::optional<std::string> decode_base64(std::string_view text) {
    namespace base64 = boost::beast::detail::base64;
    if (text.size() > 1024) {
        return std::nullopt;
    }
    std::string out(base64::decoded_size(text.size()), '\0');
    auto const [written, read] = base64::decode(out.data(), text.data(), text.size());
    out.resize(written);
    return out;
}

}  // namespace

NewKey make_key(
    model::IdMaker& ids,
    KeyBytes const& pepper,
    std::string const& kind,
    std::string const& merchant,
    model::Mode mode,
    std::string const& name
) {
    std::string const letter = kind == "publishable" ? "pk" : kind == "admin" ? "ak" : "sk";
    std::string const id = ids.secret(kIdLength);
    NewKey made{
        .key =
            ApiKey{
                letter + "_" + std::string{model::mode_name(mode)} + "_" + id +
                ids.secret(kSecretLength)
            },
        .document = {},
    };
    made.document.id = id;
    made.document.kind = kind;
    made.document.merchant = merchant;
    made.document.mode = model::mode_name(mode);
    made.document.hash = hash_of(pepper, made.key);
    made.document.name = name;
    made.document.created = ids.now_s();
    return made;
}

Result<std::optional<model::ApiKey>> find_key(
    ledger::DocumentReader const& reader, KeyBytes const& pepper, ApiKey const& key
) {
    std::string_view const id = id_in(key.reveal());
    if (id.empty()) {
        return std::nullopt;
    }
    FLORIN_TRY(auto const stored, flow::load<model::ApiKey>(reader, kKeyOwner, std::string{id}));
    if (!stored || stored->value.revoked ||
        !crypto::equal_constant_time(stored->value.hash, hash_of(pepper, key))) {
        return std::nullopt;
    }
    return stored->value;
}

std::optional<ApiKey> key_from_header(std::string_view authorization) {
    // RFC 9110 section 11.1: schemes are compared in any case.
    auto const is_scheme = [&](std::string_view scheme) {
        return authorization.size() > scheme.size() && authorization[scheme.size()] == ' ' &&
               std::ranges::equal(authorization.substr(0, scheme.size()), scheme, {}, [](char c) {
                   return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
               });
    };
    if (is_scheme("bearer")) {
        return ApiKey{authorization.substr(7)};
    }
    if (is_scheme("basic")) {
        auto const text = decode_base64(authorization.substr(6));
        if (text) {
            return ApiKey{std::string_view{*text}.substr(0, text->find(':'))};
        }
    }
    return std::nullopt;
}

}  // namespace florin::api
