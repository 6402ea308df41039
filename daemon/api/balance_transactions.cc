// /v1/balance_transactions: what changed a merchant's balance, row by row. They are written with
// the postings and by nobody else.
#include "daemon/api/list.h"
#include "daemon/api/objects.h"
#include "daemon/model/balance.h"
#include "daemon/model/settlement.h"

namespace florin::api {

template <>
inline constexpr char const* kKindName<model::Payout> = "payout";

namespace {

namespace asio = boost::asio;
using flow::Done;
using model::BalanceTransaction;
using model::Kind;

constexpr char const* kTransactionsUrl = "/v1/balance_transactions";

// Nullopt: the body is not one, or was forgotten.
std::optional<BalanceTransaction> row_of(ledger::Document const& document) {
    auto row = model::from_text<BalanceTransaction>(document.body.value_or(""));
    if (!row) {
        return std::nullopt;
    }
    row->id = document.key.id;
    return std::move(*row);
}

asio::awaitable<ApiResult<Done>> retrieve_balance_transaction(Call& call) {
    auto const expand = finish(call, ObjectKind::balance_transaction);
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    auto stored = find<BalanceTransaction>(call, call.id());
    if (!stored) {
        co_return std::unexpected{stored.error()};
    }
    stored->value.id = call.id();
    co_return Done{
        200, call.services.renderer.transaction_json(call.owner(), stored->value, *expand).text()
    };
}

struct TransactionFilter {
    std::optional<std::string> source, type, payout;
    std::optional<Currency> currency;
    CreatedFilter created;

    bool matches(BalanceTransaction const& row) const {
        return (!source || row.source == *source) && (!type || row.type == *type) &&
               (!currency || row.currency == currency->alphabetic()) &&
               created.matches(row.created());
    }
};

TransactionFilter take_transaction_filter(Parameters& parameters) {
    TransactionFilter filter;
    filter.created = take_created(parameters);
    filter.source = parameters.take_string("source");
    filter.payout = parameters.take_string("payout");
    // The wire's own names; of most of them there are no rows here.
    filter.type = parameters.take_enum(
        "type",
        {"adjustment",
         "application_fee",
         "application_fee_refund",
         "charge",
         "payment",
         "payment_refund",
         "payout",
         "payout_cancel",
         "payout_failure",
         "refund",
         "refund_failure",
         "stripe_fee",
         "transfer",
         "transfer_refund"}
    );
    if (auto const code = parameters.take_string("currency")) {
        filter.currency = Currency::from_alphabetic(*code);
        if (!filter.currency) {
            parameters.refuse(bad_parameter("", "currency", "Invalid currency: " + *code + "."));
        }
    }
    return filter;
}

// The rows that an object names. Errors: resource_missing, as there is no such object.
ApiResult<std::vector<std::string>> rows_of(Call& call, std::string const& source) {
    std::vector<std::string> rows;
    auto const add = [&](std::string const& id) {
        if (!id.empty()) {
            rows.push_back(id);
        }
    };
    if (source.starts_with("re_")) {
        auto const refund = find<model::Refund>(call, source, "source");
        if (!refund) {
            return std::unexpected{refund.error()};
        }
        add(refund->value.balance_transaction);
    } else if (source.starts_with("po_")) {
        auto const payout = find<model::Payout>(call, source, "source");
        if (!payout) {
            return std::unexpected{payout.error()};
        }
        add(payout->value.balance_transaction);
        add(payout->value.failure_balance_transaction);
    } else if (!source.starts_with("ch_")) {
        return std::unexpected{missing_resource("source", source, "source")};
    } else {
        auto const charge = find<model::Charge>(call, source, "source");
        if (!charge) {
            return std::unexpected{charge.error()};
        }
        add(charge->value.balance_transaction);
    }
    return rows;
}

asio::awaitable<ApiResult<Done>> list_balance_transactions(Call& call) {
    Page const page = take_page(call.parameters);
    TransactionFilter const filter = take_transaction_filter(call.parameters);
    auto const expand = finish(call, ObjectKind::balance_transaction, "data.");
    if (!expand) {
        co_return std::unexpected{expand.error()};
    }
    Listing listing{
        .kind = Kind::balance_transaction, .prefix = "txn", .url = kTransactionsUrl, .link = {}
    };
    if (filter.payout) {
        auto const payout = find<model::Payout>(call, *filter.payout, "payout");
        if (!payout) {
            co_return std::unexpected{payout.error()};
        }
        auto const& value = payout->value;
        if (value.number == 0) {
            co_return empty_list(listing.url);
        }
        listing.link = {
            .kind = Kind::payout_transaction,
            .from = model::payout_rows(value.currency, value.number)
        };
    } else if (filter.source) {
        auto rows = rows_of(call, *filter.source);
        if (!rows) {
            co_return std::unexpected{rows.error()};
        }
        listing.ids = std::move(*rows);
    }
    auto const render = [&](ledger::Document const& document) -> std::optional<Json> {
        auto const row = row_of(document);
        if (!row || !filter.matches(*row)) {
            return std::nullopt;
        }
        return call.services.renderer.transaction_json(call.owner(), *row, *expand);
    };
    co_return list_page(call, listing, page, filter.created, render);
}

}  // namespace

void add_balance_transactions(Routes& routes) {
    routes.add(http::Method::get, kTransactionsUrl, list_balance_transactions);
    routes.add(http::Method::get, "/v1/balance_transactions/:id", retrieve_balance_transaction);
}

}  // namespace florin::api
