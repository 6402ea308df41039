// What the endpoints of stored objects have in common: finding one, ending the parameters, and
// changing one while others may do so too.
//
// Thread rule: as api/service.h.
#pragma once

#include "daemon/api/service.h"

#include <concepts>
#include <string>
#include <utility>
#include <vector>

namespace florin::api {

// What an object is called in "No such …".
template <class T>
constexpr char const* kKindName = "object";
template <>
inline constexpr char const* kKindName<model::PaymentIntent> = "payment_intent";
template <>
inline constexpr char const* kKindName<model::PaymentMethod> = "PaymentMethod";
template <>
inline constexpr char const* kKindName<model::Charge> = "charge";
template <>
inline constexpr char const* kKindName<model::Refund> = "refund";
template <>
inline constexpr char const* kKindName<model::Customer> = "customer";
template <>
inline constexpr char const* kKindName<model::BalanceTransaction> = "balance_transaction";

// The object with this id: 404 where there is none, 400 where `param` names where the id stood. A
// deleted customer is there.
template <class T>
ApiResult<flow::Stored<T>> find(Call& call, std::string const& id, char const* param = "") {
    auto stored = flow::load<T>(call.documents(), call.owner(), id);
    if (!stored) {
        return std::unexpected{internal_error(stored.error().context)};
    }
    if (!*stored) {
        return std::unexpected{missing_resource(kKindName<T>, id, param)};
    }
    return std::move(**stored);
}
// What a list is filtered by: resource_missing where an id is named that is not there.
template <class T>
std::optional<ApiError> check_named(
    Call& call, std::optional<std::string> const& id, char const* param
) {
    if (!id) {
        return std::nullopt;
    }
    auto const known = find<T>(call, *id, param);
    return known ? std::nullopt : std::optional{known.error()};
}
// A customer that is not deleted.
ApiResult<flow::Stored<model::Customer>> find_customer(
    Call& call, std::string const& id, char const* param = ""
);

// Takes `expand` and ends the parameters; what is wrong with them comes before a path that cannot
// be expanded. `prefix`: "data." on lists.
ApiResult<Expansions> finish(Call& call, ObjectKind kind, std::string const& prefix = {});

// An event about an object that was changed, with what it was before; none where nothing of it is
// different. Both are rendered objects.
void note_update(
    Call& call,
    flow::Change& change,
    std::string type,
    std::string const& before,
    std::string const& after
);

// Stores what `decide` makes of the present state, and decides anew where somebody else changed
// the same objects meanwhile: decide(flow::Change& change) -> ApiResult<flow::Done>. An error of
// it is the answer. `decide` outlives the call.
template <class Decide>
boost::asio::awaitable<ApiResult<flow::Done>> store_change(Call& call, Decide const& decide) {
    constexpr int kTriesMax = 20;
    for (int tries = 0;; ++tries) {
        flow::Change change{call.owner(), call.caller.cause()};
        auto done = decide(change);
        if (!done) {
            co_return std::unexpected{done.error()};
        }
        auto saved =
            co_await call.services.payments.store(call.caller, std::move(change), std::move(*done));
        if (saved || saved.error().code != "lock_timeout" || tries >= kTriesMax) {
            co_return saved;
        }
    }
}

// Sets `into` where the parameter is given, empty where it is given as an empty value.
void take_text(
    Parameters& parameters, char const* name, std::string& into, std::size_t length_max = 5'000
);
model::Address take_address(Parameters* parameters);
// `shipping`, which has a name and an address, or nothing for an empty value; false: not given.
bool take_shipping(Parameters& parameters, bool& has_shipping, model::Shipping& shipping);
// Merges; an ApiError where there are too many keys then.
std::optional<ApiError> change_metadata(
    model::Metadata& metadata, std::optional<MetadataChange> const& wanted
);
// An e-mail address by its outer form: something, one @, something. Errors: email_invalid.
void check_email(Parameters& parameters, char const* name, std::string const& email);

}  // namespace florin::api
