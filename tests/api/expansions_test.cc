#include "daemon/api/render.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace florin;
using namespace florin::api;

namespace {

model::ApiKey key_with(std::string kind, std::map<std::string, std::string> rights) {
    model::ApiKey key;
    key.kind = std::move(kind);
    key.rights = std::move(rights);
    return key;
}

}  // namespace

TEST_CASE("what is expanded needs the right to read it") {
    struct Row {
        ObjectKind kind;
        std::string path;
        std::map<std::string, std::string> rights;
        std::string missing;  // empty: expanded
    };
    std::vector<Row> const rows{
        {ObjectKind::payment_intent, "customer", {{"payment_intents", "read"}}, "customers"},
        {ObjectKind::payment_intent, "customer", {{"customers", "read"}}, ""},
        {ObjectKind::payment_intent, "customer", {{"*", "read"}}, ""},
        {ObjectKind::payment_intent,
         "customer",
         {{"*", "write"}, {"customers", "none"}},
         "customers"},
        {ObjectKind::payment_intent, "latest_charge", {{"customers", "read"}}, "charges"},
        {ObjectKind::payment_intent, "payment_method", {}, "payment_methods"},
        // Nothing is behind these.
        {ObjectKind::payment_intent, "review", {}, ""},
        // Everything on the way.
        {ObjectKind::payment_intent, "latest_charge.customer", {{"charges", "read"}}, "customers"},
        {ObjectKind::payment_intent, "latest_charge.customer", {{"customers", "read"}}, "charges"},
        {ObjectKind::payment_intent,
         "latest_charge.customer",
         {{"customers", "read"}, {"charges", "write"}},
         ""},
        {ObjectKind::charge, "balance_transaction", {{"charges", "read"}}, "balance_transactions"},
        {ObjectKind::charge, "payment_intent", {{"charges", "read"}}, "payment_intents"},
        {ObjectKind::refund, "charge", {{"refunds", "read"}}, "charges"},
        // A list is shown too.
        {ObjectKind::charge, "refunds", {{"charges", "read"}}, "refunds"},
        {ObjectKind::charge, "refunds", {{"charges", "read"}, {"refunds", "read"}}, ""},
        {ObjectKind::payment_intent, "latest_charge.refunds", {{"charges", "read"}}, "refunds"},
        {ObjectKind::refund, "charge.refunds", {{"charges", "read"}}, "refunds"},
        {ObjectKind::balance_transaction, "source.refunds", {{"charges", "read"}}, "refunds"},
        {ObjectKind::customer,
         "invoice_settings.default_payment_method",
         {{"customers", "read"}},
         "payment_methods"},
        // It may be either.
        {ObjectKind::balance_transaction, "source", {{"charges", "read"}}, "refunds"},
        {ObjectKind::balance_transaction, "source", {{"refunds", "read"}}, "charges"},
        {ObjectKind::balance_transaction, "source", {{"refunds", "read"}, {"charges", "read"}}, ""},
    };
    for (Row const& row : rows) {
        CAPTURE(row.path);
        for (std::string const prefix : {"", "data."}) {
            auto const made = Expansions::make(
                row.kind, {prefix + row.path}, key_with("restricted", row.rights), prefix
            );
            CHECK(made.has_value() == row.missing.empty());
            if (!made) {
                CHECK(made.error().http_status == 403);
                CHECK(made.error().message.find("'" + row.missing + "=read'") != std::string::npos);
            }
        }
        CHECK(Expansions::make(row.kind, {row.path}, key_with("secret", {})).has_value());
    }
}

TEST_CASE("what is no property is 400, whatever the rights") {
    for (std::string const path :
         {"",
          "amount",
          "customer.nothing",
          "latest_charge.",
          "latest_charge.refunds.data",
          "latest_charge.refunds.charge",
          "data.customer"}) {
        CAPTURE(path);
        auto const made = Expansions::make(
            ObjectKind::payment_intent,
            {path},
            key_with("restricted", {{"payment_intents", "read"}})
        );
        REQUIRE_FALSE(made.has_value());
        CHECK(made.error().http_status == 400);
    }
    CHECK(Expansions::none({}).has_value());
    CHECK(Expansions::none({"customer"}).error().http_status == 400);
}
