// Documents as the JSON of the merchant API: every field of the wire convention, null where there
// is nothing. Amounts go from ISO minor units to the surface's own exponents here and nowhere else.
// Thread rule: pure functions over the documents they read; any thread.
#pragma once

#include "daemon/api/error.h"
#include "daemon/flow/payments.h"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace florin::api {

// Which kind of object a path of `expand` starts at.
enum class ObjectKind { payment_intent, charge, refund, payment_method, customer, balance };

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

    nlohmann::ordered_json intent_json(
        std::string const& owner, flow::Objects const& objects, Expansions const& expand
    ) const;
    nlohmann::ordered_json charge_json(
        std::string const& owner, model::Charge const& charge, Expansions const& expand
    ) const;
    nlohmann::ordered_json refund_json(
        std::string const& owner, model::Refund const& refund, Expansions const& expand
    ) const;
    nlohmann::ordered_json method_json(
        std::string const& owner, model::PaymentMethod const& method, Expansions const& expand
    ) const;
    // A deleted customer is no more than that.
    nlohmann::ordered_json customer_json(
        std::string const& owner, model::Customer const& customer, Expansions const& expand
    ) const;

    // flow::Renderer: unexpanded, for events and recovery.
    std::string intent(flow::Objects const& objects) const override;
    std::string charge(flow::Objects const& objects) const override;
    std::string refund(flow::Objects const& objects) const override;
    std::string method(flow::Objects const& objects) const override;

    // The error object of a refused card, for a 402.
    ApiError card_error(flow::Objects const& objects) const;

private:
    // An id, or in its place the object; null where there is none.
    nlohmann::ordered_json customer_member(
        std::string const& owner, std::string const& id, Expansions const& expand
    ) const;
    nlohmann::ordered_json method_member(
        std::string const& owner,
        std::string const& id,
        Expansions const& expand,
        std::string const& name = "payment_method"
    ) const;
    nlohmann::ordered_json charge_member(
        std::string const& owner,
        std::string const& id,
        Expansions const& expand,
        std::string const& name,
        std::optional<model::Charge> const& known = std::nullopt
    ) const;
    nlohmann::ordered_json intent_member(
        std::string const& owner,
        std::string const& id,
        Expansions const& expand,
        std::optional<model::Charge> const& charge = std::nullopt
    ) const;
    nlohmann::ordered_json refunds_of(std::string const& owner, model::Charge const& charge) const;

    ledger::DocumentReader const& reader_;
};

// A whole number in the API's own minor units. A stored amount always converts.
std::int64_t wire_amount(std::int64_t minor, std::string const& currency);
// ISO minor units of an amount that came in; an ApiError where that is not exact.
ApiResult<std::int64_t> minor_amount(
    std::int64_t wire, Currency const& currency, std::string const& param
);
std::string to_body(nlohmann::ordered_json const& json);

}  // namespace florin::api
