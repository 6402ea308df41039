#include "daemon/api/rights.h"

#include <doctest/doctest.h>

using namespace florin;
using api::Access;
using api::Rights;

namespace {

model::ApiKey key(char const* kind, Rights rights = {}) {
    model::ApiKey made;
    made.kind = kind;
    made.rights = std::move(rights);
    return made;
}

}  // namespace

TEST_CASE("what a key may do is decided by kind, own right, general right") {
    struct Row {
        char const* kind;
        Rights rights;
        char const* resource;
        bool reads, writes;
    };
    Row const rows[] = {
        {"secret", {}, "refunds", true, true},
        {"publishable", {}, "payment_methods", false, false},
        {"publishable", {{"*", "write"}}, "payment_methods", false, false},
        {"nonsense", {{"*", "write"}}, "refunds", false, false},
        {"admin", {}, "ledger", true, true},
        {"admin", {{"ledger", "read"}}, "ledger", true, false},
        {"admin", {{"ledger", "read"}}, "keys", false, false},
        {"restricted", {}, "refunds", false, false},
        {"restricted", {{"refunds", "write"}}, "refunds", true, true},
        {"restricted", {{"refunds", "read"}}, "refunds", true, false},
        {"restricted", {{"refunds", "Write"}}, "refunds", false, false},
        {"restricted", {{"*", "read"}}, "refunds", true, false},
        {"restricted", {{"*", "write"}, {"refunds", "read"}}, "refunds", true, false},
        {"restricted", {{"*", "read"}, {"refunds", "write"}}, "refunds", true, true},
        {"restricted", {{"*", "write"}, {"refunds", "none"}}, "refunds", false, false},
    };
    for (Row const& row : rows) {
        CAPTURE(row.kind);
        CAPTURE(row.resource);
        CHECK(api::may(key(row.kind, row.rights), row.resource, Access::read) == row.reads);
        CHECK(api::may(key(row.kind, row.rights), row.resource, Access::write) == row.writes);
    }
}

TEST_CASE("nobody gives an operator what they do not have") {
    struct Row {
        Rights giver, given;
        bool may;
    };
    Row const rows[] = {
        {{}, {}, true},
        {{}, {{"*", "write"}}, true},
        {{}, {{"ledger", "read"}}, true},
        {{{"*", "write"}}, {}, true},
        {{{"*", "read"}}, {}, false},
        {{{"*", "read"}}, {{"*", "read"}}, true},
        {{{"*", "read"}}, {{"ledger", "read"}}, true},
        {{{"*", "read"}}, {{"ledger", "write"}}, false},
        {{{"keys", "write"}}, {}, false},
        {{{"keys", "write"}}, {{"*", "read"}}, false},
        {{{"keys", "write"}}, {{"keys", "write"}}, true},
        {{{"keys", "write"}}, {{"keys", "read"}}, true},
        {{{"keys", "write"}}, {{"keys", "read"}, {"ledger", "read"}}, false},
        // A right of one's own below the general one bounds what may be given.
        {{{"*", "write"}, {"ledger", "read"}}, {}, false},
        {{{"*", "write"}, {"ledger", "read"}}, {{"*", "write"}}, false},
        {{{"*", "write"}, {"ledger", "read"}}, {{"*", "write"}, {"ledger", "read"}}, true},
        {{{"*", "write"}, {"ledger", "read"}}, {{"keys", "write"}}, true},
        {{{"*", "read"}, {"keys", "write"}}, {{"*", "read"}, {"keys", "write"}}, true},
    };
    for (std::size_t i = 0; i < std::size(rows); ++i) {
        CAPTURE(i);
        CHECK(api::may_give(key("admin", rows[i].giver), rows[i].given) == rows[i].may);
        CHECK(!api::may_give(key("secret"), rows[i].given));
        CHECK(!api::may_give(key("restricted", {{"*", "write"}}), rows[i].given));
    }
}

TEST_CASE("a merchant's request is about the first name of its path") {
    CHECK(api::resource_of("/v1/payment_intents") == "payment_intents");
    CHECK(api::resource_of("/v1/customers/cus_1/payment_methods") == "customers");
    CHECK(api::resource_of("/v1/").empty());
    CHECK(api::resource_of("/v1").empty());
    CHECK(api::resource_of("/v1//refunds").empty());
    CHECK(api::resource_of("/admin/v1/keys").empty());
}
