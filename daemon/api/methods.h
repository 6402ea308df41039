// Payment methods for the other endpoints: cards that come in, and who may use which method.
//
// A method belongs to one customer, who may use it as often as he likes, or to nobody: then it is
// good for one payment, which spends it. What was detached is spent too. Test tokens stand for a
// new method each time.
// Thread rule: as api/service.h.
#pragma once

#include "daemon/api/objects.h"

namespace florin::api {

// A method that a request names, or a new one (version 0) with what only the vault may have of it:
// nothing of it is stored before keep_card().
struct ChosenMethod {
    flow::Stored<model::PaymentMethod> stored;
    Pan number{};  // empty: a test card, or a method that is stored
    Cvv cvc{};

    bool is_new() const { return stored.version == 0; }
};

// A card that came by number (`data`: a hash with card[…] and billing_details) or, without data, by
// test token. Ends the call's parameters.
ApiResult<ChosenMethod> make_payment_method(
    Call& call, Parameters* data, std::string const& test_token
);

// The method with this id, or a new one for a test token. `param`: where the id stood; empty for
// the path.
ApiResult<ChosenMethod> find_method(Call& call, std::string const& id, char const* param);

// Puts the card of a new method into the vault, durably: after everything that can be checked was,
// and before anything refers to it. The security code waits there in memory.
boost::asio::awaitable<ApiResult<void>> keep_card(Call& call, ChosenMethod& method);

// What there is to settle of a method whose card was kept.
struct KeptCard {
    std::string method, vault_token;
    explicit KeptCard(model::PaymentMethod const& kept)
        : method{kept.id}, vault_token{kept.vault_token} {}
};
// Ends a request that kept a card: a refusal takes the number out of the vault again, unless the
// method is stored nevertheless. Errors of the server leave it, for what they were about may be
// stored yet. Answers `result`.
boost::asio::awaitable<ApiResult<flow::Done>> settle_card(
    Call& call, KeptCard card, ApiResult<flow::Done> result
);

// A year of two digits is one of this century.
std::int64_t full_year(std::int64_t year);
// Errors: invalid_expiry_month, invalid_expiry_year, also for a date that is past.
std::optional<ApiError> check_expiry(std::int64_t month, std::int64_t year, std::int64_t now_s);
model::BillingDetails take_billing_details(Parameters* parameters);

// Whether a payment of this customer ("": nobody's) may use it.
std::optional<ApiError> check_usable(
    model::PaymentMethod const& method, std::string const& customer
);
// Puts into the change what makes the method this customer's, and sets method.customer; nothing
// where it is already. The customer's own document is guarded unless it is part of the change.
std::optional<ApiError> attach(
    Call& call,
    flow::Change& change,
    flow::Stored<model::PaymentMethod>& method,
    flow::Stored<model::Customer> const& customer
);
// The reverse; the method is spent then.
void detach(Call& call, flow::Change& change, flow::Stored<model::PaymentMethod>& method);

// The methods of a customer, for both endpoints that list them.
ApiResult<flow::Done> list_methods_of(
    Call& call, std::string const& customer, std::string const& url
);

}  // namespace florin::api
