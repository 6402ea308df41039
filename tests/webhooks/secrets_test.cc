// Signatures as receivers check them, and secrets that open in their own place only.
#include "daemon/webhooks/secrets.h"

#include <doctest/doctest.h>

using namespace florin;
using namespace florin::webhooks;

namespace {

constexpr char const* kSecret = "whsec_5f3JkQpZ0aVbN8xYt2LmR7cDwE1uHs94";
constexpr char const* kBody = R"({"id":"evt_1","object":"event"})";
// Computed with Python's hmac module over "1700000000." and the body.
constexpr char const* kSigned = "a107b8ee2aab49272571b1d3051d869ec2c5978580ced79334bfe1038fe58b92";
constexpr char const* kSignedOld =
    "9119b75c4afa8bb5f71433cb34179a57aa261c58b80b417f1f537251b0cd38a8";

crypto::KeyRing ring() {
    return *crypto::KeyRing::parse("1 " + std::string(64, 'a') + "\n", "keys");
}

}  // namespace

TEST_CASE("a signature covers time and body with the whole secret") {
    CHECK(
        signature_header({SigningSecret{std::string_view{kSecret}}}, 1'700'000'000, kBody) ==
        std::string{"t=1700000000,v1="} + kSigned
    );
    CHECK(
        signature_header(
            {SigningSecret{std::string_view{kSecret}}, SigningSecret{std::string_view{"whsec_old"}}
            },
            1'700'000'000,
            kBody
        ) == std::string{"t=1700000000,v1="} + kSigned + ",v1=" + kSignedOld
    );
}

TEST_CASE("a sealed secret shows nothing and opens for its own endpoint only") {
    crypto::SystemRandom random;
    Secrets const secrets{ring(), random};
    SigningSecret const secret = secrets.make();
    CHECK(secret.reveal().starts_with("whsec_"));
    CHECK(secret.size() == 38);
    CHECK(secrets.make().reveal() != secret.reveal());
    std::string const sealed = secrets.seal(secret, "acct_1/test", "we_1");
    CHECK(sealed.find("whsec") == std::string::npos);
    CHECK(sealed != secrets.seal(secret, "acct_1/test", "we_1"));
    CHECK(secrets.open(sealed, "acct_1/test", "we_1")->reveal() == secret.reveal());
    CHECK_FALSE(secrets.open(sealed, "acct_1/test", "we_2").has_value());
    CHECK_FALSE(secrets.open(sealed, "acct_1/live", "we_1").has_value());
    CHECK_FALSE(secrets.open_answer(sealed, "acct_1/test", "we_1").has_value());
    CHECK_FALSE(secrets.open("", "acct_1/test", "we_1").has_value());
    CHECK_FALSE(secrets.open("nonsense!", "acct_1/test", "we_1").has_value());
    std::string const answer = secrets.seal_answer("{}", "acct_1/test", "key");
    CHECK(*secrets.open_answer(answer, "acct_1/test", "key") == "{}");
    CHECK_FALSE(secrets.open_answer(answer, "acct_1/test", "other").has_value());
}
