// Reconciliation: what we did is compared with what acquirers and banks say happened.
//
// Statements are imported once, whole: until the last line has come nobody looks at them. Whether
// they are what the bank has sent, only their importer knows, who stands in the document. A run
// then goes through every line that nothing explains yet.
//   Acquirers' lines are matched with attempts: by their exact reference, else by amount, date and
//   card where only one attempt fits. A match moves the money from receivable to clearing, under
//   the payout reference; where the attempt's outcome was unknown, the line is the evidence that
//   ends it. Banks' lines are matched with payout references and with our own payouts: by
//   reference, by amount and date, or as the sum of several. A match moves the money from clearing
//   to bank, or from transit to bank.
// Every match is one command, so it is made once and whole, whatever crashes. What is left is a
// break, with a type, an age and somebody whose it is; it closes by itself when a later run
// explains it.
//
// Files: import.cc, acquirer.cc, bank.cc, breaks.cc.
// Thread rule: everything that is awaited runs on the background executor, one at a time; the rest
// from any thread.
#pragma once

#include "daemon/flow/store.h"
#include "daemon/ledger_client.h"
#include "daemon/model/reconciliation.h"
#include "daemon/model/settlement.h"
#include "ledger/base/currency.h"

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace florin::recon {

inline constexpr std::int64_t kDay = 86'400;  // seconds

// What a run did on one level.
struct LevelReport {
    std::int64_t lines = 0;                          // that nothing explained before the run
    std::int64_t matched = 0;                        // of these
    std::map<std::string, std::int64_t> matched_by;  // reference, amount_date, net_sum
};

struct ResolvedUnknown {
    std::string attempt, operation, payment_intent, outcome, line;
};

struct RunReport {
    LevelReport acquirer, bank;
    std::vector<ResolvedUnknown> unknowns_resolved;
    std::int64_t breaks_open = 0;
};

// Whose word an import is: a statement is what this person says that the bank has sent.
struct Importer {
    std::string name;    // a person's
    std::string key_id;  // of the admin key that was used
};

class Reconciliation {
public:
    struct Acquirer {
        std::string connector;
        std::string name;  // in its reports
    };
    struct BankAccount {
        std::string name, iban;
    };
    // Takes a line as evidence about an attempt whose outcome is not final, and does what follows
    // from it (flow::Payments::take_evidence).
    using TakeEvidence = std::function<boost::asio::awaitable<Result<void>>(
        std::string owner, std::string attempt, model::Evidence evidence
    )>;
    struct Parts {
        LedgerClient& ledger;
        TakeEvidence take_evidence;
        model::IdMaker& ids;
        model::Mode mode;
        std::vector<Acquirer> acquirers;         // of this mode
        std::vector<BankAccount> bank_accounts;  // of this mode
    };
    explicit Reconciliation(Parts parts) : parts_{std::move(parts)} {}

    // Begins or goes on with an import; its state says whether it was complete already, and it has
    // who began it. What came of another content under that name is removed unless it is complete.
    // Errc::refused where the statement is of an account that is not ours, Errc::conflict where a
    // statement of that name was imported with other content, Errc::malformed where it is not sound
    // or holds a card number or a secret key.
    boost::asio::awaitable<Result<model::StatementDocument>> begin_import(
        model::StatementDocument statement, Importer by
    );
    // Lines of it, in any pieces; those that are there already are left alone. Answers how many
    // were new. Errc::malformed where a line is not sound or holds a card number or a secret key.
    boost::asio::awaitable<Result<std::int64_t>> add_lines(
        model::StatementDocument statement, std::vector<model::StatementLineDocument> lines
    );
    // Errc::conflict where lines are missing. Where the stored lines are not those that the digest
    // says, Errc::malformed: what came is removed, so that the import can begin again.
    boost::asio::awaitable<Result<void>> complete_import(
        model::StatementDocument statement, Importer by
    );

    // Errc::conflict: another run is under way.
    boost::asio::awaitable<Result<RunReport>> run();

    // Open ones; with `all` those that were resolved too. Oldest first.
    Result<std::vector<model::Break>> breaks(bool all) const;
    // Lines gone through in the run under way.
    std::uint64_t progress() const { return progress_; }

private:
    template <class T>
    using Stored = flow::Stored<T>;
    // A line that nothing explains yet.
    struct Line {
        std::string owner, id;
        Stored<model::StatementLineDocument> document;
        std::uint64_t unmatched_version = 0;

        model::StatementLineDocument const& value() const { return document.value; }
        std::string subject() const { return owner + "/" + id; }
    };
    // An attempt that has not been reported.
    struct Expected {
        model::ExpectedLine line;
        std::uint64_t version = 0;
        model::Attempt attempt;
        bool is_taken = false;
    };
    // The differences found by a run, by id.
    using Found = std::map<std::string, model::Break>;

    std::string platform() const { return model::owner_of("platform", parts_.mode); }
    Result<std::vector<Line>> unmatched_lines(std::string const& owner) const;
    Result<std::vector<model::StatementDocument>> statements(
        std::string_view level, std::string_view account
    ) const;
    std::optional<std::string> owner_for(model::StatementDocument const& statement) const;
    Currency currency_of(std::string const& code) const;
    // Marks a line as explained, in the command that explains it.
    void explain(flow::Change& change, Line& line, std::string_view by, std::string what) const;

    // import.cc
    boost::asio::awaitable<Result<void>> discard_import(
        std::string owner, Stored<model::StatementDocument> statement, Importer by
    );
    void log_import(
        std::string_view event, model::StatementDocument const& statement, Importer const& by
    ) const;

    // acquirer.cc
    Result<std::vector<Expected>> expected_lines(std::string const& connector) const;
    boost::asio::awaitable<Result<void>> run_acquirer(
        Acquirer acquirer, RunReport& report, Found& found
    );
    Expected* by_reference(std::vector<Expected>& expected, Line const& line) const;
    Expected* by_amount_and_date(std::vector<Expected>& expected, Line const& line) const;
    boost::asio::awaitable<Result<void>> match_transaction(
        Acquirer acquirer,
        Line& line,
        Expected& expected,
        std::string_view by,
        RunReport& report,
        Found& found
    );
    // What a line of a payment is booked for.
    struct Booking {
        std::string owner;
        model::Attempt attempt;
        std::uint64_t expected_version = 0;  // of its ExpectedLine; 0: there is none
    };
    // nullopt: the line is about nothing that was given up.
    Result<std::optional<Booking>> given_up_attempt(Acquirer const& acquirer, Line const& line)
        const;
    boost::asio::awaitable<Result<void>> match_given_up(
        Acquirer acquirer, Line& line, Booking booking, RunReport& report
    );
    boost::asio::awaitable<Result<void>> book(
        Acquirer acquirer, Line& line, Booking booking, std::string_view by, RunReport& report
    );
    // Counts a line that was explained.
    void count(LevelReport& level, std::string_view by, std::size_t lines);
    // What is not a payment of ours: chargebacks and fees. False: left unexplained.
    boost::asio::awaitable<Result<bool>> match_other(Acquirer acquirer, Line& line);
    Result<void> add_to_reference(
        flow::Change& change, Acquirer const& acquirer, Line const& line, std::int64_t net
    ) const;

    // bank.cc
    boost::asio::awaitable<Result<void>> run_bank(
        BankAccount account, RunReport& report, Found& found
    );
    boost::asio::awaitable<Result<bool>> match_net(
        BankAccount account,
        std::vector<Line*> lines,
        std::vector<Stored<model::PayoutReference>*> references,
        std::string_view by
    );
    boost::asio::awaitable<Result<bool>> match_payout(
        BankAccount account, Line& line, Stored<model::Payout>& payout, std::string_view by
    );
    Result<std::vector<Stored<model::PayoutReference>>> open_references() const;
    Result<std::vector<Stored<model::Payout>>> open_payouts() const;

    // breaks.cc
    void note_break(Found& found, std::string type, Line const& line, std::string explanation)
        const;
    Result<void> find_missing(Acquirer const& acquirer, Found& found) const;
    Result<void> find_missing_at_bank(Found& found) const;
    boost::asio::awaitable<Result<std::int64_t>> store_breaks(Found found);

    Parts parts_;
    std::atomic<bool> running_ = false;
    std::atomic<std::uint64_t> progress_ = 0;
};

// Days since 1970 of "YYYY-MM-DD"; nullopt for anything else.
std::optional<std::int64_t> day_number(std::string_view date);

}  // namespace florin::recon
