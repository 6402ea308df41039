// Objects as what merchants read: who renders them, and what of.
// Thread rule: any thread.
#pragma once

#include "daemon/flow/balance.h"
#include "daemon/model/documents.h"

#include <string>
#include <string_view>

namespace florin::flow {

// What an answer can be made of, as it stands after the operation; of those that it is made from.
struct Objects {
    std::string const& owner;
    model::PaymentIntent const& intent;
    model::Charge const* charge = nullptr;
    model::PaymentMethod const* method = nullptr;
    model::Refund const* refund = nullptr;
    // The row that the same command writes.
    model::BalanceTransaction const* transaction = nullptr;
    bool refused = false;  // the card was: answer the error in intent.last_payment_error
};

// Objects as JSON, for events and for answers that recovery stores. The API implements it.
class Renderer {
public:
    virtual ~Renderer() = default;
    virtual std::string intent(Objects const& objects) const = 0;
    virtual std::string charge(Objects const& objects) const = 0;
    virtual std::string refund(Objects const& objects) const = 0;
    virtual std::string method(Objects const& objects) const = 0;
    virtual std::string balance(Balance const& balance) const = 0;
    // The object of a stored document (`text`) of one of those kinds, as above. An intent with an
    // error shows the payment method as it is now.
    virtual Result<std::string> document(
        model::Kind kind, std::string const& owner, std::string_view text
    ) const = 0;
    // The previous_attributes of an event, from the object before and after; both as above.
    virtual std::string previous(std::string const& before, std::string const& after) const = 0;
};

}  // namespace florin::flow
