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
    // expandable, and (403) where `key` has no right to read what would be shown.
    static ApiResult<Expansions> make(
        ObjectKind kind,
        std::vector<std::string> const& paths,
        model::ApiKey const& key,
        std::string const& prefix = {}
    );
    // For what has nothing to expand: an ApiError where anything is asked for.
    static ApiResult<Expansions> none(
        std::vector<std::string> const& paths, std::string const& prefix = {}
    );
    bool has(std::string const& name) const;
    // The expansions below a member.
    Expansions below(std::string const& name) const;

private:
    std::set<std::string> paths_;
};

// Objects as a command leaves them that is not stored yet: wherever one of them is expanded, at any
// depth, it is this and not what is still stored. An object that is rendered is one of them itself.
struct Unstored {
    model::PaymentIntent const* intent = nullptr;
    model::Charge const* charge = nullptr;
    model::PaymentMethod const* method = nullptr;
    model::Refund const* refund = nullptr;
    model::BalanceTransaction const* transaction = nullptr;
    model::Customer const* customer = nullptr;
};
Unstored unstored_of(flow::Objects const& objects);

class ObjectRenderer final : public flow::Renderer {
public:
    explicit ObjectRenderer(ledger::DocumentReader const& reader) : reader_{reader} {}

    using Row = model::BalanceTransaction;
    Json intent_json(
        std::string const& owner, flow::Objects const& objects, Expansions const& expand
    ) const;
    Json charge_json(
        std::string const& owner,
        model::Charge const& charge,
        Expansions const& expand,
        Unstored unstored = {}
    ) const;
    Json refund_json(
        std::string const& owner,
        model::Refund const& refund,
        Expansions const& expand,
        Unstored unstored = {}
    ) const;
    // Amounts that the surface's unit cannot say are rounded so that net = amount - fee holds.
    Json transaction_json(
        std::string const& owner, Row const& row, Expansions const& expand, Unstored unstored = {}
    ) const;
    Json balance_json(flow::Balance const& balance) const;
    Json method_json(
        std::string const& owner,
        model::PaymentMethod const& method,
        Expansions const& expand,
        Unstored unstored = {}
    ) const;
    // A deleted customer is no more than that.
    Json customer_json(
        std::string const& owner,
        model::Customer const& customer,
        Expansions const& expand,
        Unstored unstored = {}
    ) const;

    // flow::Renderer: unexpanded, for events and recovery.
    std::string intent(flow::Objects const& objects) const override;
    std::string charge(flow::Objects const& objects) const override;
    std::string refund(flow::Objects const& objects) const override;
    std::string method(flow::Objects const& objects) const override;
    std::string balance(flow::Balance const& balance) const override;
    Result<std::string> document(model::Kind kind, std::string const& owner, std::string_view text)
        const override;
    std::string previous(std::string const& before, std::string const& after) const override;

    // The error object of a refused card, for a 402.
    ApiError card_error(flow::Objects const& objects) const;

private:
    Json intent_json(
        std::string const& owner,
        model::PaymentIntent const& intent,
        Expansions const& expand,
        Unstored unstored
    ) const;
    // What the command leaves, or else what is stored, in `place`; nullptr where there is neither.
    template <class T>
    T const* look_up(
        std::string const& owner, std::string const& id, T const* unstored, std::optional<T>& place
    ) const {
        if (unstored != nullptr && unstored->id == id) {
            return unstored;
        }
        auto stored = flow::load<T>(reader_, owner, id);
        if (!stored || !*stored) {
            return nullptr;
        }
        place = std::move((*stored)->value);
        return &*place;
    }
    // An id, or in its place the object; null where there is none.
    Json customer_member(
        std::string const& owner, std::string const& id, Expansions const& expand, Unstored unstored
    ) const;
    Json method_member(
        std::string const& owner,
        std::string const& id,
        Expansions const& expand,
        std::string const& name,
        Unstored unstored
    ) const;
    Json charge_member(
        std::string const& owner,
        std::string const& id,
        Expansions const& expand,
        std::string const& name,
        Unstored unstored
    ) const;
    Json intent_member(
        std::string const& owner, std::string const& id, Expansions const& expand, Unstored unstored
    ) const;
    Json transaction_member(
        std::string const& owner, std::string const& id, Expansions const& expand, Unstored unstored
    ) const;
    Json source_member(
        std::string const& owner, Row const& row, Expansions const& expand, Unstored unstored
    ) const;
    Json refunds_of(std::string const& owner, model::Charge const& charge, Unstored const& unstored)
        const;

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

}  // namespace florin::api
