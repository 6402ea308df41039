// Amounts as the surface says them, and the objects that are made of postings: balance transactions
// and the balance.
#include "daemon/api/render.h"
#include "daemon/api/render_parts.h"
#include "daemon/model/settlement.h"
#include "ledger/base/check.h"
#include "ledger/base/money.h"

namespace florin::api {

std::int64_t wire_amount(std::int64_t minor, std::string const& currency) {
    auto const known = Currency::from_alphabetic(currency);
    FLORIN_CHECK(known.has_value(), "a stored currency is known");
    auto const amount = convert_minor(minor, known->digits(), known->stripe_digits());
    FLORIN_CHECK(amount.has_value(), "an amount that came in through the API goes out again");
    return *amount;
}

std::int64_t wire_floor(std::int64_t minor, Currency const& currency) {
    if (auto const exact = convert_minor(minor, currency.digits(), currency.stripe_digits())) {
        return *exact;
    }
    std::int64_t scale = 1;
    for (unsigned i = currency.stripe_digits(); i < currency.digits(); ++i) {
        scale *= 10;
    }
    std::int64_t const rest = ((minor % scale) + scale) % scale;
    auto const floor = convert_minor(minor - rest, currency.digits(), currency.stripe_digits());
    FLORIN_CHECK(floor.has_value(), "a whole amount converts");
    return *floor;
}

ApiResult<std::int64_t> minor_amount(
    std::int64_t wire, Currency const& currency, std::string const& param
) {
    bool const is_odd_thousandth = currency.stripe_digits() == 3 && wire % 10 != 0;
    auto const minor = convert_minor(wire, currency.stripe_digits(), currency.digits());
    if (!minor || is_odd_thousandth) {
        return std::unexpected{bad_parameter(
            "parameter_invalid_integer",
            param,
            "Invalid integer: this amount cannot be expressed exactly in " + currency.lower() + "."
        )};
    }
    return *minor;
}

Json ObjectRenderer::transaction_member(
    std::string const& owner, std::string const& id, Expansions const& expand, Unstored unstored
) const {
    constexpr char const* kName = "balance_transaction";
    if (expand.has(kName) && !id.empty()) {
        if (unstored.transaction != nullptr && unstored.transaction->id == id) {
            return transaction_json(owner, *unstored.transaction, expand.below(kName), unstored);
        }
        auto stored = flow::load<model::BalanceTransaction>(reader_, owner, id);
        if (stored && *stored) {
            (*stored)->value.id = id;
            return transaction_json(owner, (*stored)->value, expand.below(kName), unstored);
        }
    }
    return text_or_null(id);
}

Json ObjectRenderer::source_member(
    std::string const& owner, Row const& row, Expansions const& expand, Unstored unstored
) const {
    constexpr char const* kName = "source";
    if (expand.has(kName) && row.type == "charge") {
        return charge_member(owner, row.source, expand, kName, unstored);
    }
    if (expand.has(kName) && row.type == "refund") {
        std::optional<model::Refund> place;
        if (auto const* const found = look_up(owner, row.source, unstored.refund, place)) {
            return refund_json(owner, *found, expand.below(kName), unstored);
        }
    }
    return row.source;
}

Json ObjectRenderer::transaction_json(
    std::string const& owner, Row const& row, Expansions const& expand, Unstored unstored
) const {
    auto const currency = Currency::from_alphabetic(row.currency);
    FLORIN_CHECK(currency.has_value(), "a stored currency is known");
    // The document that goes when the money is made available comes with the row.
    bool const is_stored = &row != unstored.transaction;
    bool is_pending = row.due != 0;
    if (is_pending && is_stored) {
        auto const waiting = reader_.get(model::key_of(
            model::Kind::availability, owner, model::availability_id(row.currency, row.due, row.id)
        ));
        is_pending = !waiting || waiting->has_value();
    }
    std::int64_t const amount = wire_floor(row.amount, *currency);
    std::int64_t const net = wire_floor(row.net(), *currency);
    std::int64_t const fee = amount - net;
    Json fees = Json::array();
    if (fee != 0) {
        fees.push_back(
            {{"amount", fee},
             {"application", nullptr},
             {"currency", currency->lower()},
             {"description", "Processing fee"},
             {"type", "stripe_fee"}}
        );
    }
    return {
        {"id", row.id},
        {"object", "balance_transaction"},
        {"amount", amount},
        {"available_on", row.due == 0 ? row.created() : row.due},
        {"balance_type", "payments"},
        {"created", row.created()},
        {"currency", currency->lower()},
        {"description", text_or_null(row.description)},
        {"exchange_rate", nullptr},
        {"fee", fee},
        {"fee_details", fees},
        {"net", net},
        {"reporting_category", row.type == "payout_failure" ? "payout_reversal" : row.type},
        {"source", source_member(owner, row, expand, unstored)},
        {"status", is_pending ? "pending" : "available"},
        {"type", row.type},
    };
}

Json ObjectRenderer::balance_json(flow::Balance const& balance) const {
    auto const entry = [](std::int64_t amount, Currency const& currency) -> Json {
        std::int64_t const wire = wire_floor(amount, currency);
        return {
            {"amount", wire}, {"currency", currency.lower()}, {"source_types", {{"card", wire}}}
        };
    };
    Json available = Json::array();
    Json pending = Json::array();
    for (flow::CurrencyBalance const& each : balance.currencies) {
        available.push_back(entry(each.available, each.currency));
        pending.push_back(entry(each.pending, each.currency));
    }
    return {
        {"object", "balance"},
        {"available", available},
        {"livemode", balance.mode == model::Mode::live},
        {"pending", pending},
    };
}

}  // namespace florin::api
