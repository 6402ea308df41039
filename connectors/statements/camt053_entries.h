// What the elements of a camt.053 statement mean: from elements with their text to statements and
// lines. Knows nothing of XML; camt053.cc gives it the elements, in the order of the file.
// Thread rule: one thread at a time; the sink is called on it.
#pragma once

#include "connectors/statements/camt053.h"
#include "connectors/statements/statement.h"
#include "ledger/base/money.h"
#include "ledger/base/result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace florin::connectors::statements {

// `sink` and `limits` outlive it.
class Camt053Entries {
public:
    Camt053Entries(StatementSink& sink, Camt053Limits const& limits)
        : sink_{sink}, limits_{limits} {}

    // An element begins, or ends: then with its text, trimmed, and its attribute Ccy ("": none).
    // Paths are below Stmt; Stmt itself is "". Errc::malformed, Errc::out_of_range (a bound), or
    // the sink's.
    Result<void> open(std::string_view path);
    Result<void> close(std::string_view path, std::string_view text, std::string_view currency);

    // Those that have ended.
    std::uint64_t statements() const { return statements_; }
    // The last error was the sink's: it goes to the caller as it is.
    bool has_sink_refused() const { return has_sink_refused_; }

private:
    enum class Leaf;
    static std::map<std::string_view, Leaf> const& leaves();

    struct Party {
        std::string name;
        std::string account;
    };

    struct Balance {
        std::string code;
        std::optional<Money> amount;
        std::optional<bool> is_credit;
        std::string date;
    };

    struct Detail {
        std::string end_to_end;
        std::string bank_reference;
        std::optional<Money> amount;
        std::optional<Money> instructed_amount;
        std::optional<bool> is_credit;
        Party debtor, creditor;
        std::string remittance;
    };

    struct Entry {
        std::string reference;
        std::optional<Money> amount;
        std::optional<bool> is_credit;
        std::string reversal;
        std::string status;
        std::string booking_date;
        std::string value_date;
        std::string bank_reference;
        std::vector<Detail> details;
        std::uint64_t detail_count = 0;
    };

    struct Statement {
        StatementHead head;
        std::string created, to_date, closing_date;
        std::optional<Currency> currency;
        std::optional<Money> opening, previous_closing, closing;
        std::optional<Money> sum;  // of the booked entries
        bool has_begun = false;    // the sink knows of it
    };

    Result<void> told(Result<void> answer);
    Result<void> before_entries() const;
    Result<void> take(Leaf leaf, std::string_view text, std::string_view currency);
    static Result<void> set(std::string& field, std::string_view text);
    // An ISO date, or date and time; what is behind the day (time, zone) is not needed.
    static Result<void> set_date(std::string& field, std::string_view text);
    static Result<void> set_sign(std::optional<bool>& field, std::string_view text);
    static Result<Currency> currency_from(std::string_view text);
    // Without sign: CdtDbtInd gives it.
    static Result<void> set_amount(
        std::optional<Money>& field, std::string_view text, std::string_view code
    );
    Result<void> set_account_currency(std::string_view text);
    Result<void> add_remittance(std::string_view text);
    // The first to name a currency decides for the statement.
    Result<void> same_currency(Money amount);
    Result<void> end_balance();
    void end_detail();
    Result<void> end_entry();
    // The amounts of the transactions, if they make up the entry: all there, in its currency, with
    // its sum. Empty otherwise.
    std::vector<Money> parts_of(Money entry) const;
    Result<void> give(Money amount, Detail const& detail);
    // Not before the first booked entry or the end: until then the currency may be unknown.
    Result<void> begin();
    Result<void> end_statement();

    StatementSink& sink_;
    Camt053Limits const& limits_;
    Statement statement_;
    Balance balance_;
    Entry entry_;
    Detail detail_;
    bool has_entries_ = false;
    bool has_sink_refused_ = false;
    std::uint64_t lines_ = 0;
    std::uint64_t statements_ = 0;
};

}  // namespace florin::connectors::statements
