// Documents as the JSON of the merchant API: every field of the wire convention, null where there
// is nothing. Amounts go from ISO minor units to the surface's own exponents here and nowhere else.
// Thread rule: pure functions over the documents they read; any thread.
#pragma once

#include "daemon/api/error.h"
#include "daemon/api/json.h"
#include "daemon/flow/payments.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace florin::api {

// Which kind of object a path of `expand` starts at.
enum class ObjectKind {
    payment_intent,
    charge,
    refund,
    payment_method,
    customer,
    balance,
    balance_transaction,
};

// What to render in place of ids.
class Expansions {
public:
    Expansions() = default;
    // `prefix`: "data." on lists. An ApiError for a path that is unknown, too deep or not
    // expandable.
    static ApiResult<Expansions> make(
        ObjectKind kind, std::vector<std::string> const& paths, std::string const& prefix = {}
    );
    bool has(std::string const& name) const;
    // The expansions below a member.
    Expansions below(std::string const& name) const;

private:
    std::set<std::string> paths_;
};

class ObjectRenderer final : public flow::Renderer {
public:
    explicit ObjectRenderer(ledger::DocumentReader const& reader) : reader_{reader} {}

    Json intent_json(
        std::string const& owner, flow::Objects const& objects, Expansions const& expand
    ) const;
    // `unstored`: the row that the command writes which changes this object.
    using Row = model::BalanceTransaction;
    Json charge_json(
        std::string const& owner,
        model::Charge const& charge,
        Expansions const& expand,
        Row const* unstored = nullptr
    ) const;
    Json refund_json(
        std::string const& owner,
        model::Refund const& refund,
        Expansions const& expand,
        Row const* unstored = nullptr
    ) const;
    // Amounts that the surface's unit cannot say are rounded so that net = amount - fee holds.
    Json transaction_json(
        std::string const& owner, model::BalanceTransaction const& row, Expansions const& expand
    ) const;
    Json balance_json(flow::Balance const& balance) const;
    Json method_json(
        std::string const& owner, model::PaymentMethod const& method, Expansions const& expand
    ) const;
    // A deleted customer is no more than that.
    // `unstored`: the default method as it will be.
    Json customer_json(
        std::string const& owner,
        model::Customer const& customer,
        Expansions const& expand,
        std::optional<model::PaymentMethod> const& unstored = std::nullopt
    ) const;

    // flow::Renderer: unexpanded, for events and recovery.
    std::string intent(flow::Objects const& objects) const override;
    std::string charge(flow::Objects const& objects) const override;
    std::string refund(flow::Objects const& objects) const override;
    std::string method(flow::Objects const& objects) const override;
    std::string balance(flow::Balance const& balance) const override;
    std::string previous(std::string const& before, std::string const& after) const override;

    // The error object of a refused card, for a 402.
    ApiError card_error(flow::Objects const& objects) const;

private:
    // An id, or in its place the object; null where there is none.
    Json customer_member(std::string const& owner, std::string const& id, Expansions const& expand)
        const;
    Json method_member(
        std::string const& owner,
        std::string const& id,
        Expansions const& expand,
        std::string const& name = "payment_method"
    ) const;
    Json charge_member(
        std::string const& owner,
        std::string const& id,
        Expansions const& expand,
        std::string const& name,
        model::Charge const* known = nullptr,
        Row const* unstored = nullptr
    ) const;
    Json intent_member(
        std::string const& owner,
        std::string const& id,
        Expansions const& expand,
        model::Charge const* charge = nullptr
    ) const;
    Json transaction_member(
        std::string const& owner,
        std::string const& id,
        Expansions const& expand,
        Row const* unstored
    ) const;
    Json source_member(
        std::string const& owner, model::BalanceTransaction const& row, Expansions const& expand
    ) const;
    Json transaction_json(
        std::string const& owner,
        model::BalanceTransaction const& row,
        Expansions const& expand,
        bool is_stored
    ) const;
    Json refunds_of(std::string const& owner, model::Charge const& charge) const;

    ledger::DocumentReader const& reader_;
};

// A whole number in the API's own minor units. A stored amount always converts.
std::int64_t wire_amount(std::int64_t minor, std::string const& currency);
// The same of a sum, which may be finer than the surface's own unit (MGA: ISO has two decimals, the
// wire none): rounded down, so that the wire never shows more than there is.
std::int64_t wire_floor(std::int64_t minor, Currency const& currency);
// ISO minor units of an amount that came in; an ApiError where that is not exact.
ApiResult<std::int64_t> minor_amount(
    std::int64_t wire, Currency const& currency, std::string const& param
);
std::string to_body(Json const& json);

}  // namespace florin::api
