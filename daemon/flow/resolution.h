// What becomes of an attempt that no bank explains is decided by two persons: one proposes an
// outcome and says why, another one confirms it. Only then is it evidence (evidence.h), stored in
// one command with who did it, and everything follows: postings, charge, payment, events.
//
//   operation   while    may become
//   authorise   unknown  reversed, declined   its reversal is on the way: too late for an approval
//   capture     unknown  approved, declined   declined: what it authorised is given back
//   refund      unknown  approved, declined
//   void        unknown  reversed             the bank has given back what was authorised
//
// Thread rule: operations may be awaited on any io thread; they resume there.
#pragma once

#include "daemon/flow/payments.h"
#include "daemon/model/resolution.h"

#include <string>
#include <string_view>
#include <vector>

namespace florin::flow {

// Who acts: the name on an operator's key, the key's id, and the persons who had the key in their
// hands: who made or rolled it, and those behind theirs (model::ApiKey::makers).
struct Person {
    std::string name;
    std::string key_id;
    std::vector<std::string> makers = {};
};

// What operators may say that became of it, in the state it is in; empty: nothing to decide.
std::vector<std::string_view> possible_outcomes(model::Attempt const& attempt);
// Errc::conflict says why this attempt cannot get this outcome, and which ones it can.
Result<void> check_outcome(model::Attempt const& attempt, std::string_view outcome);
// A key without a name is nobody's: Errc::refused.
Result<void> check_named(Person const& person);
// Names are compared as crypto/operator_key.h says: who reads them takes them for the same.
bool is_same_person(std::string_view name, std::string_view other);
// Errc::conflict: it is decided already; Errc::refused: whoever proposed it cannot confirm it, nor
// can anybody whose key came from that person, or from whose key that person's came.
Result<void> check_confirmation(model::Resolution const& resolution, Person const& person);

class Resolutions {
public:
    // Both outlive this.
    Resolutions(LedgerClient& ledger, Payments& payments, model::IdMaker& ids)
        : ledger_{ledger}, payments_{payments}, ids_{ids} {}

    // Those of an attempt, oldest first.
    Result<std::vector<model::Resolution>> of(
        std::string const& owner, std::string const& attempt_id
    ) const;
    // A new proposal. Where another person has proposed the same outcome, this confirms that;
    // Errc::refused where it was the same person, Errc::conflict where it is another outcome.
    boost::asio::awaitable<Result<model::Resolution>> propose(
        std::string owner,
        std::string attempt_id,
        std::string outcome,
        std::string reason,
        Person person
    );
    // Errc::not_found: there is no such proposal. Returns after everything has followed.
    // `reason`: why this person does so; may be empty.
    boost::asio::awaitable<Result<model::Resolution>> confirm(
        std::string owner,
        std::string attempt_id,
        std::string resolution_id,
        std::string reason,
        Person person
    );
    boost::asio::awaitable<Result<model::Resolution>> withdraw(
        std::string owner,
        std::string attempt_id,
        std::string resolution_id,
        std::string reason,
        Person person
    );

private:
    LedgerClient& ledger_;
    Payments& payments_;
    model::IdMaker& ids_;
};

}  // namespace florin::flow
