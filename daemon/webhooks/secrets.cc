#include "daemon/webhooks/secrets.h"

#include "crypto/base64.h"
#include "crypto/hmac.h"

namespace florin::webhooks {
namespace {

std::string place_of(std::string_view what, std::string_view owner, std::string_view id) {
    std::string place{what};
    place += '\0';
    place += owner;
    place += '\0';
    place += id;
    return place;
}

}  // namespace

SigningSecret Secrets::make() const {
    constexpr std::size_t kCharacters = 32;  // 190 bits
    return SigningSecret{"whsec_" + crypto::random_alphanumeric(random_, kCharacters)};
}

std::string Secrets::seal_at(std::string_view text, std::string const& place) const {
    return crypto::base64(keys_.seal(text, place, random_));
}

Result<std::string> Secrets::open_at(std::string_view sealed, std::string const& place) const {
    auto const bytes = crypto::from_base64(sealed);
    if (!bytes) {
        return fail(Errc::corrupt, "a sealed text is not base64");
    }
    return keys_.open(*bytes, place);
}

std::string Secrets::seal(
    SigningSecret const& secret, std::string_view owner, std::string_view endpoint
) const {
    return seal_at(secret.reveal(), place_of("webhook secret", owner, endpoint));
}

Result<SigningSecret> Secrets::open(
    std::string_view sealed, std::string_view owner, std::string_view endpoint
) const {
    FLORIN_TRY(auto text, open_at(sealed, place_of("webhook secret", owner, endpoint)));
    return SigningSecret{std::move(text)};
}

std::string Secrets::seal_answer(
    std::string_view body, std::string_view owner, std::string_view idempotency_key
) const {
    return seal_at(body, place_of("idempotent answer", owner, idempotency_key));
}

Result<std::string> Secrets::open_answer(
    std::string_view sealed, std::string_view owner, std::string_view idempotency_key
) const {
    return open_at(sealed, place_of("idempotent answer", owner, idempotency_key));
}

std::string signature_header(
    std::vector<SigningSecret> const& secrets, std::int64_t time_s, std::string_view body
) {
    std::string const time = std::to_string(time_s);
    std::string message = time + ".";
    message += body;
    std::string header = "t=" + time;
    for (SigningSecret const& secret : secrets) {
        header += ",v1=" + crypto::hex(crypto::hmac_sha256(secret, message));
    }
    return header;
}

}  // namespace florin::webhooks
