#include "tools/florin/signed_head.h"

#include "crypto/base64.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace florin;
using namespace florin::tools;
using nlohmann::ordered_json;

namespace {

// RFC 8032 section 7.1, TEST 1, in PKCS#8.
crypto::SigningKey key() {
    auto const der = from_hex(
        "302e020100300506032b657004220420"
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    );
    KeyBytes const pem{
        "-----BEGIN PRIVATE KEY-----\n" + crypto::base64(*der) + "\n-----END PRIVATE KEY-----\n"
    };
    return std::move(*crypto::SigningKey::from_pem(pem, "test"));
}

ledger::PinnedHead head() {
    ledger::PinnedHead head;
    head.ledger_id.fill(0xab);
    head.position = {.sequence = 12, .hash = crypto::sha256("x")};
    head.time = 1'700'000'000'000'000'001;
    return head;
}

}  // namespace

TEST_CASE("what is signed is this text") {
    CHECK(
        signed_text(head()) ==
        "florin ledger head v1\n"
        "ledger_id abababababababababababababababab\n"
        "sequence 12\n"
        "hash 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\n"
        "time 1700000000000000001\n"
    );
}

TEST_CASE("a signed head comes back as it was written, and its signature counts") {
    auto const made = sign_head(head(), key());
    REQUIRE(made);
    CHECK(made->is_signed());
    auto const read = parse_signed_head(to_json(*made), "head.json");
    REQUIRE(read);
    CHECK(signed_text(read->head) == signed_text(made->head));
    CHECK(read->public_key == made->public_key);
    CHECK(read->is_signed());
    CHECK(to_json(*read) == to_json(*made));
}

TEST_CASE("no member can be changed without the signature, or be left out, or be added") {
    auto const text = to_json(*sign_head(head(), key()));
    auto const whole = ordered_json::parse(text);
    REQUIRE(whole.size() == 7);
    std::pair<char const*, char const*> const changes[] = {
        {"ledger_id", "abababababababababababababababac"},
        {"sequence", "13"},
        {"hash", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4882"},
        {"time", "1700000000000000002"},
        {"public_key", "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="},
    };
    for (auto const& [name, value] : changes) {
        auto changed = whole;
        changed[name] = value;
        auto const read = parse_signed_head(changed.dump(), "head.json");
        REQUIRE(read);
        CHECK_FALSE(read->is_signed());
    }
    std::pair<char const*, ordered_json> const bad[] = {
        {"format", "florin ledger head v2"},
        {"format", 1},
        {"ledger_id", "ABABABABABABABABABABABABABABABAB"},
        {"ledger_id", "abab"},
        {"ledger_id", nullptr},
        {"sequence", "012"},
        {"sequence", "0"},
        {"sequence", 12},
        {"sequence", "18446744073709551616"},
        {"hash", ""},
        {"time", "-1"},
        {"public_key", "MCowBQYDK2VwAyEA"},
        {"public_key", "x"},
        {"signature", "AAAA"},
        {"signature", "\n"},
        {"more", "x"},
    };
    for (auto const& [name, value] : bad) {
        auto changed = whole;
        changed[name] = value;
        CAPTURE(changed.dump());
        auto const read = parse_signed_head(changed.dump(), "head.json");
        REQUIRE_FALSE(read);
        CHECK(read.error().context.starts_with("head.json: "));
    }
    for (auto const& [name, value] : whole.items()) {
        auto changed = whole;
        changed.erase(name);
        CHECK_FALSE(parse_signed_head(changed.dump(), "head.json"));
    }
    for (char const* other : {"", "[]", "{", "null", "\xff"}) {
        CHECK(parse_signed_head(other, "x").error().context == "x: is not a JSON object");
    }
}
